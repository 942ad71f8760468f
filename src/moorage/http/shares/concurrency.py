"""The number of requests of a share that are in progress at a time while others send requests, too.

Each step of a request waits for the steps of all requests in progress: on the event loop, for the lock of the
interpreter, for threads and for the database. While the processor is what they wait for, few at a time get as much done
as many. While they wait for disks or other servers, more at a time get more done.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

LEAST_AT_ONCE: Final = 2
MOST_AT_ONCE: Final = 16

LONG_ROUND: Final = 0.001
"""Seconds. While a process has little to do, a round of its event loop takes a quarter of that."""

WINDOW: Final = 0.02
"""Seconds over which the time of the processor is measured."""

_BUSY: Final = 0.5
"""A process with this part of a processor is busy: its threads wait for one another, or for processors."""


class Concurrency:
    """The limit for each share: low while the process is busy, and growing by one in each window in which it is not."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, processor: Callable[[], float] = time.process_time
    ) -> None:
        self.limit = LEAST_AT_ONCE
        self._clock = clock  # That of the event loop counts milliseconds, and stands still during a round.
        self._processor = processor
        self._round_began = self._window_began = clock()
        self._used_before = processor()

    def round_begins(self) -> None:
        """Note the start of a round of the event loop."""
        self._round_began = self._clock()

    def round_ends(self) -> None:
        """Adapt to the round, and to the window if it is over."""
        now = self._clock()
        if now - self._round_began > LONG_ROUND:
            self.limit = LEAST_AT_ONCE
        if now - self._window_began >= WINDOW:
            self._adapt(now)

    def _adapt(self, now: float) -> None:
        used = self._processor()
        is_busy = used - self._used_before > _BUSY * (now - self._window_began)
        self.limit = LEAST_AT_ONCE if is_busy else min(self.limit + 1, MOST_AT_ONCE)
        self._window_began, self._used_before = now, used
