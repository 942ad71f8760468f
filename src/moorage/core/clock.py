"""The time, as it is passed to whoever needs it: microseconds since 1970 UTC."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from moorage.domain.errors import Unavailable

Clock = Callable[[], int]

_KEEP_SECONDS = 30.0


def system_clock() -> int:
    """The machine's clock, in microseconds."""
    return time.time_ns() // 1000


class CommonClock:
    """The time of the database that nodes share: what the clock of a node's own machine says does not matter."""

    def __init__(self, ask: Callable[[], int]) -> None:
        """`ask` gives the database's time, and may raise Unavailable. Until `set_right`, this is the machine's."""
        self._ask = ask
        self._ahead = system_clock() - _running()
        self._keeping: asyncio.Task[None] | None = None

    def __call__(self) -> int:
        return _running() + self._ahead

    def set_right(self) -> None:
        """Ask for the time. Raises Unavailable."""
        before = _running()
        theirs = self._ask()
        self._ahead = theirs - (before + _running()) // 2

    def start(self) -> None:
        """Ask now, if the database answers, and again and again from then on."""
        with suppress(Unavailable):
            self.set_right()
        self._keeping = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """To be called before the database is closed."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait([self._keeping])

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(_KEEP_SECONDS)
            with suppress(Unavailable):
                await asyncio.to_thread(self.set_right)


def _running() -> int:
    """Microseconds since some moment, by a clock that nobody sets."""
    return time.monotonic_ns() // 1000
