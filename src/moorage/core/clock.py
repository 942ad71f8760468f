"""The clock: microseconds since the Unix epoch, injected where it is needed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from moorage.domain.errors import Unavailable

Clock = Callable[[], int]

_SYNCHRONIZE_SECONDS = 30.0


def system_clock() -> int:
    """The machine's clock, in microseconds."""
    return time.time_ns() // 1000


class CommonClock:
    """The database's clock, which all nodes share, so the clocks of their machines need not agree."""

    def __init__(self, database_time: Callable[[], int]) -> None:
        """`database_time` may raise Unavailable. Until the first `synchronize`, the machine's clock counts."""
        self._database_time = database_time
        self._offset = system_clock() - _monotonic()
        self._synchronizing: asyncio.Task[None] | None = None

    def __call__(self) -> int:
        return _monotonic() + self._offset

    def synchronize(self) -> None:
        """Read the database's time. Raises Unavailable."""
        before = _monotonic()
        database_time = self._database_time()
        self._offset = database_time - (before + _monotonic()) // 2

    def start(self) -> None:
        """Synchronize now, if the database answers, and then periodically."""
        with suppress(Unavailable):
            self.synchronize()
        self._synchronizing = asyncio.create_task(self._keep_synchronizing())

    async def stop(self) -> None:
        """Stop synchronizing. Call it before the database is closed."""
        if self._synchronizing is not None:
            self._synchronizing.cancel()
            await asyncio.wait([self._synchronizing])

    async def _keep_synchronizing(self) -> None:
        while True:
            await asyncio.sleep(_SYNCHRONIZE_SECONDS)
            with suppress(Unavailable):
                await asyncio.to_thread(self.synchronize)


def _monotonic() -> int:
    """Microseconds of the monotonic clock, which nothing adjusts."""
    return time.monotonic_ns() // 1000
