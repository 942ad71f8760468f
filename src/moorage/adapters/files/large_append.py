"""Storing a large body: new bytes arrive while earlier ones are hashed in one thread and written in another."""

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
from moorage.adapters.files.uploads import AppendStart, UploadFile
from moorage.domain.ports import CHUNK_BYTES

BATCHES_IN_MEMORY = 4
"""Batches of one upload in memory between receiving and the slower of hashing and writing."""

_Result = TypeVar("_Result")

_MAX_CHUNKS = 256  # a client that sends single bytes must not fill the memory with tiny objects


@dataclass(frozen=True, slots=True)
class ChunkBatch:
    """Consecutive chunks of a body; `last` when the body ends with them."""

    chunks: Sequence[bytes]
    last: bool


async def next_batch(chunks: AsyncIterator[bytes], size: int) -> ChunkBatch:
    """Collect chunks until they have `size` bytes or the body ends."""
    collected: list[bytes] = []
    count = 0
    async for chunk in chunks:
        collected.append(chunk)
        count += len(chunk)
        if count >= size or len(collected) == _MAX_CHUNKS:
            return ChunkBatch(collected, last=False)
    return ChunkBatch(collected, last=True)


class SerialQueue:
    """One kind of work on the batches of one upload: in order, in pool threads, one batch at a time.

    The thread that finishes a batch starts the next one, not the event loop. Each batch is a separate task in the
    pool's queue, so that uploads share the threads evenly.
    """

    def __init__(self, pool: Executor, work: Callable[[Sequence[bytes]], None]) -> None:
        self._pool = pool
        self._work = work
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Sequence[bytes], asyncio.Future[None]]] = deque()

    def put(self, chunks: Sequence[bytes]) -> asyncio.Future[None]:
        """Queue a batch; the future is done when the batch is processed."""
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
        except BaseException as raised:  # noqa: BLE001 - the future passes it on
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


class LargeAppend:
    """One append of a large body.

    It waits for threads with `asyncio.wait`, which a cancelled request does not cancel. So the file is never
    truncated, closed or unlocked while a thread works on it.
    """

    def __init__(self, pool: Executor) -> None:
        self._pool = pool
        self._tasks: deque[asyncio.Future[Any]] = deque()
        self._file: UploadFile | None = None

    async def append(
        self, start: AppendStart, first: ChunkBatch, chunks: AsyncIterator[bytes]
    ) -> tuple[int, RunningDigest | None]:
        """Store the whole body. Returns the new size and, if hashing could continue, the running digest."""
        try:
            file = await self._in_thread(partial(self._open, start))
            await self._receive(file, first, chunks)
            return file.size, await self._in_thread(partial(self._finish, file))
        except BaseException:
            await asyncio.shield(asyncio.create_task(self._clean_up()))
            raise

    def _open(self, start: AppendStart) -> UploadFile:
        self._file = UploadFile(start)  # set in the thread: a cancelled request gets no result to close
        return self._file

    async def _receive(self, file: UploadFile, batch: ChunkBatch, chunks: AsyncIterator[bytes]) -> None:
        queues = [SerialQueue(self._pool, file.write)]
        if file.hashing:
            queues.append(SerialQueue(self._pool, file.hash))
        while True:
            if batch.chunks:
                self._tasks.extend(queue.put(batch.chunks) for queue in queues)
            if batch.last:
                break
            await self._wait_until(len(queues) * (BATCHES_IN_MEMORY - 1))
            batch = await next_batch(chunks, CHUNK_BYTES)
        await self._wait_until(0)

    def _finish(self, file: UploadFile) -> RunningDigest | None:
        running = file.finish()
        file.close()
        self._file = None
        return running

    async def _clean_up(self) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks)
        for future in self._tasks:
            future.exception()  # marks it as retrieved: the first failure is already on its way to the caller
        if self._file is not None:
            await asyncio.get_running_loop().run_in_executor(self._pool, _undo, self._file)

    async def _in_thread(self, work: Callable[[], _Result]) -> _Result:
        future = asyncio.get_running_loop().run_in_executor(self._pool, work)
        self._tasks.append(future)
        await self._wait_until(0)
        return future.result()

    async def _wait_until(self, maximum: int) -> None:
        """Wait until at most `maximum` tasks are running. Raises what a task raised."""
        while len(self._tasks) > maximum:
            await asyncio.wait((self._tasks[0],))
            self._tasks.popleft().result()


def _undo(file: UploadFile) -> None:
    try:
        file.undo()
    finally:
        file.close()
