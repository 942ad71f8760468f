"""Batches: the writes that share a transaction and its commit.

A batch takes writes from the queue while it runs, so a write of another share waits only for the one that is running,
and then for the commit. Beside others, the writes of a share in a batch take about as long as a commit: on a disk that
syncs slowly, many writes of one caller still share a commit.
"""

from __future__ import annotations

import asyncio
import queue
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Final

from moorage.metadata.database import Work, mark_retrieved
from moorage.shares import Share, WorkQueue, current

MAX_BATCH: Final = 64
"""Maximum number of writes that share a commit; limits how long one slow write can delay others."""

LEAST_ALLOWANCE: Final = 0.001
"""Seconds that the writes of a share in a batch may take beside others, if commits are faster than that."""


class QueuedWrite:
    """A queued write and the future for its result."""

    __slots__ = ("error", "future", "loop", "result", "share", "work")

    def __init__(self, work: Work[Any], loop: asyncio.AbstractEventLoop) -> None:
        self.share: Share = current()
        self.work = work
        self.loop = loop
        self.future: asyncio.Future[Any] = loop.create_future()
        self.result: Any = None
        self.error: BaseException | None = None

    def resolve(self) -> None:
        if self.future.done():  # the client disconnected; the write has happened anyway
            return
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)
            mark_retrieved(self.future)


class Batch:
    """The writes of one transaction: `first`, and those that wait while the batch runs.

    `commit_seconds` is how long the last commit took.
    """

    def __init__(
        self, first: QueuedWrite, waiting: WorkQueue[QueuedWrite], commit_seconds: float, clock: Callable[[], float]
    ) -> None:
        self.writes = [first]
        self._queue = waiting
        self._allowance = max(commit_seconds, LEAST_ALLOWANCE)
        self._clock = clock
        self._used: defaultdict[str, float] = defaultdict(float)
        self._served: set[str] = set()
        self._has_others = False

    def run(self, run_one: Callable[[QueuedWrite], None]) -> None:
        """Run the writes, and further ones until the batch is full or none waits."""
        for write in self.writes:
            self._run(write, run_one)
        while len(self.writes) < MAX_BATCH and (further := self._next()) is not None:
            self.writes.append(further)
            self._run(further, run_one)

    def _next(self) -> QueuedWrite | None:
        try:
            write = self._queue.get_nowait(without=self._served if self._has_others else ())
        except queue.Empty:
            return None
        if write is None:
            self._queue.put(None)
        return write

    def _run(self, write: QueuedWrite, run_one: Callable[[QueuedWrite], None]) -> None:
        share, started = write.share, self._clock()
        run_one(write)
        self._used[share.name] += self._clock() - started
        if self._used[share.name] >= self._allowance:
            self._served.add(share.name)
        self._has_others = self._has_others or share.has_others or len(self._used) > 1


def refuse(writes: list[QueuedWrite], error: BaseException) -> None:
    """Raise an error from writes that have not run."""
    for write in writes:
        write.error = error
    resolve(writes)


def resolve(batch: list[QueuedWrite]) -> None:
    """Wake each event loop once, however many requests of the batch it has."""
    for loop in {write.loop for write in batch}:
        writes = [write for write in batch if write.loop is loop]
        try:
            loop.call_soon_threadsafe(_resolve_all, writes)
        except RuntimeError:  # the loop is closed: the server is stopping, and nobody waits
            continue


def _resolve_all(writes: list[QueuedWrite]) -> None:
    for write in writes:
        write.resolve()
