"""Pacing: background work takes a share of the time, and reads a limited number of bytes per second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from moorage.metadata.database import Database, Work

T = TypeVar("T")


class Pace:
    """Limits work to a share of the time (0 to 1): after working for some time, `rest` waits in proportion.

    `clock` measures the work in seconds: by default the time that passes, with `time.thread_time` only the processor's.
    """

    def __init__(self, share: float, clock: Callable[[], float] = time.perf_counter) -> None:
        self._factor = 1 / share - 1
        self._clock = clock
        self._worked = 0.0

    @contextmanager
    def working(self) -> Iterator[None]:
        """Count the time of the block."""
        started = self._clock()
        yield
        self._worked += self._clock() - started

    async def read(self, database: Database, work: Work[T]) -> T:
        """Read, and count the time."""
        with self.working():
            return await database.read(work)

    async def rest(self) -> None:
        """Wait for the work since the last rest."""
        worked, self._worked = self._worked, 0.0
        await asyncio.sleep(worked * self._factor)


class Rate:
    """Limits bytes per second. None sets no limit."""

    def __init__(self, bytes_a_second: float | None) -> None:
        self._rate = bytes_a_second
        self._started = time.monotonic()
        self._passed = 0

    async def passed(self, size: int) -> None:
        """Count `size` bytes, and wait until the rate allows them."""
        self._passed += size
        if self._rate is not None:
            await asyncio.sleep(max(0.0, self._started + self._passed / self._rate - time.monotonic()))
