"""A short memory of what upstream registries did not give, so that they are not asked again at once."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

MISSING_SECONDS: Final = 60.0
FAILED_SECONDS: Final = 5.0
"""How long to remember that something does not exist, and that a fetch failed: clients repeat requests at once."""

_MOST: Final = 4096


class Remembered:
    """The refusals of the last fetches, by item. Each process has its own."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._refusals: OrderedDict[str, tuple[float, Exception]] = OrderedDict()

    def put(self, item: str, refusal: Exception, seconds: float) -> None:
        self._refusals[item] = self._clock() + seconds, refusal
        self._refusals.move_to_end(item)
        if len(self._refusals) > _MOST:
            self._refusals.popitem(last=False)

    def find(self, item: str) -> Exception | None:
        """The refusal of the last fetch of an item, while it is remembered."""
        until, refusal = self._refusals.get(item, (0.0, None))
        if refusal is not None and until > self._clock():
            return refusal.with_traceback(None)  # Each raise would add to it.
        self._refusals.pop(item, None)
        return None

    def forget(self, item: str) -> None:
        self._refusals.pop(item, None)
