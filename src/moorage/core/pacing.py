"""Pacing of background work: limits on its share of the time, and on the bytes that it reads per second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from moorage.metadata.database import Database, Work

T = TypeVar("T")


class Throttle:
    """Limits work to a share of the time (0 to 1): `rest` waits in proportion to the work before it.

    `clock` measures work in seconds. By default this is elapsed time; `time.thread_time` is processor time.
    """

    def __init__(self, share: float, clock: Callable[[], float] = time.perf_counter) -> None:
        self._factor = 1 / share - 1
        self._clock = clock
        self._worked = 0.0

    @contextmanager
    def working(self) -> Iterator[None]:
        """Count the time of the block as work."""
        started = self._clock()
        yield
        self._worked += self._clock() - started

    async def read(self, database: Database, work: Work[T]) -> T:
        """Read from the database, and count the time as work."""
        with self.working():
            return await database.read(work)

    async def rest(self) -> None:
        """Wait for the work since the last rest."""
        worked, self._worked = self._worked, 0.0
        await asyncio.sleep(worked * self._factor)


class RateLimit:
    """Limits bytes per second. None sets no limit."""

    def __init__(self, bytes_per_second: float | None) -> None:
        self._rate = bytes_per_second
        self._started = time.monotonic()
        self._total = 0

    async def limit(self, size: int) -> None:
        """Count `size` bytes, and wait until the rate allows them."""
        self._total += size
        if self._rate is not None:
            await asyncio.sleep(max(0.0, self._started + self._total / self._rate - time.monotonic()))
