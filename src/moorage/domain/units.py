"""Units: times are microseconds, sizes are bytes."""

from __future__ import annotations

import time
from typing import Final

SECOND: Final = 1_000_000
HOUR: Final = 3600 * SECOND
DAY: Final = 24 * HOUR

MIB: Final = 1 << 20


def iso_time(microseconds: int) -> str:
    """A time as AWS writes it in events, records and policies: whole seconds, UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(microseconds // SECOND))
