"""Receiving a large body: the next bytes arrive while those before are hashed in one thread and written in another."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from moorage.adapters.files.running_digests import RunningDigest
from moorage.adapters.files.uploads import Start, UploadFile
from moorage.domain.ports import CHUNK_BYTES

BATCHES_UNDER_WAY = 4
"""Batches of one upload that are in memory between receiving and the slower of hashing and writing."""

_Result = TypeVar("_Result")

_MOST_CHUNKS = 256  # a client that sends single bytes must not fill the memory with tiny objects


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive chunks of a body; `last` when the body ends with them."""

    chunks: Sequence[bytes]
    last: bool


async def next_batch(chunks: AsyncIterator[bytes], size: int) -> Batch:
    """Collect chunks until they have `size` bytes or the body ends."""
    collected: list[bytes] = []
    count = 0
    async for chunk in chunks:
        collected.append(chunk)
        count += len(chunk)
        if count >= size or len(collected) == _MOST_CHUNKS:
            return Batch(collected, last=False)
    return Batch(collected, last=True)


class Lane:
    """One kind of work on the batches of one upload: in order, in pool threads, never two at a time.

    The next batch starts from the thread that finished the one before, not from the event loop. Each is a task of its
    own in the pool's queue, so that many uploads share few threads evenly.
    """

    def __init__(self, pool: Executor, work: Callable[[Sequence[bytes]], None]) -> None:
        self._pool = pool
        self._work = work
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Sequence[bytes], asyncio.Future[None]]] = deque()

    def put(self, chunks: Sequence[bytes]) -> asyncio.Future[None]:
        """Queue a batch; the future is done when the work on it is."""
        done = self._loop.create_future()
        with self._lock:
            self._waiting.append((chunks, done))
            idle = len(self._waiting) == 1
        if idle:
            self._pool.submit(self._work_on_next)
        return done

    def _work_on_next(self) -> None:
        chunks, done = self._waiting[0]
        error: BaseException | None = None
        try:
            self._work(chunks)
        except BaseException as raised:  # noqa: BLE001 - handed to whoever waits for the future
            error = raised
        with self._lock:
            self._waiting.popleft()
            more = bool(self._waiting)
        if more:
            self._pool.submit(self._work_on_next)
        self._loop.call_soon_threadsafe(_settle, done, error)


def _settle(done: asyncio.Future[None], error: BaseException | None) -> None:
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)


class Reception:
    """One append of a large body.

    Threads are waited for with `asyncio.wait`, which a cancelled request does not cancel: the file is never cut, closed
    or unlocked while a thread still works on it.
    """

    def __init__(self, pool: Executor) -> None:
        self._pool = pool
        self._under_way: deque[asyncio.Future[Any]] = deque()
        self._file: UploadFile | None = None

    async def append(
        self, start: Start, first: Batch, chunks: AsyncIterator[bytes]
    ) -> tuple[int, RunningDigest | None]:
        """Store the whole body; returns the new size, and the digest so far where it could be continued."""
        try:
            file = await self._in_thread(partial(self._open, start))
            await self._receive(file, first, chunks)
            return file.size, await self._in_thread(partial(self._finish, file))
        except BaseException:
            await asyncio.shield(asyncio.create_task(self._give_up()))
            raise

    def _open(self, start: Start) -> UploadFile:
        self._file = UploadFile(start)  # kept from within the thread: a cancelled request gets no result to close
        return self._file

    async def _receive(self, file: UploadFile, batch: Batch, chunks: AsyncIterator[bytes]) -> None:
        lanes = [Lane(self._pool, file.write)]
        if file.hashing:
            lanes.append(Lane(self._pool, file.hash))
        while True:
            if batch.chunks:
                self._under_way.extend(lane.put(batch.chunks) for lane in lanes)
            if batch.last:
                break
            await self._wait_until(len(lanes) * (BATCHES_UNDER_WAY - 1))
            batch = await next_batch(chunks, CHUNK_BYTES)
        await self._wait_until(0)

    def _finish(self, file: UploadFile) -> RunningDigest | None:
        running = file.finish()
        file.close()
        self._file = None
        return running

    async def _give_up(self) -> None:
        if self._under_way:
            await asyncio.wait(self._under_way)
        for future in self._under_way:
            future.exception()  # the first failure is already on its way to the caller
        if self._file is not None:
            await asyncio.get_running_loop().run_in_executor(self._pool, _undo, self._file)

    async def _in_thread(self, work: Callable[[], _Result]) -> _Result:
        future = asyncio.get_running_loop().run_in_executor(self._pool, work)
        self._under_way.append(future)
        await self._wait_until(0)
        return future.result()

    async def _wait_until(self, most: int) -> None:
        """Wait until at most `most` pieces of work are under way; raises what one of them raised."""
        while len(self._under_way) > most:
            await asyncio.wait((self._under_way[0],))
            self._under_way.popleft().result()


def _undo(file: UploadFile) -> None:
    try:
        file.undo()
    finally:
        file.close()
