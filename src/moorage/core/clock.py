"""The time, as it is passed to whoever needs it: microseconds since 1970 UTC."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], int]

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR


def system_clock() -> int:
    """The machine's clock, in microseconds."""
    return time.time_ns() // 1000


def iso_time(microseconds: int) -> str:
    """A time as AWS writes it in events and records: whole seconds, UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(microseconds // SECOND))
