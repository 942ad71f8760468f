"""The limit on the time that a parser may take."""

from __future__ import annotations

import time
from collections.abc import Callable

MAX_SECONDS = 0.1
_REPEATS = 3


class TooSlow(Exception):
    """The parser needs too much time for this input."""


def require_quick(parse: Callable[[], object]) -> None:
    """Parse, and raise TooSlow if that takes too long each time: not because of the collector of Python's garbage."""
    if _seconds(parse) > MAX_SECONDS:
        best = min(_seconds(parse) for _ in range(_REPEATS))
        if best > MAX_SECONDS:
            raise TooSlow(f"{best:.3f} s")


def _seconds(parse: Callable[[], object]) -> float:
    """Processor time, which does not depend on the load of the machine."""
    started = time.process_time()
    parse()
    return time.process_time() - started
