"""Draining: the time between the signal to stop and the stop, in which requests are still served.

Load balancers notice it at their next check of /readyz, and clients close their connections after the next response.
A request that arrived at the moment of the stop would be cut off, so none should arrive then.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from multiprocessing.sharedctypes import RawValue
from typing import Any


class Drain:
    """A flag that all worker processes share; create it before them. With zero `seconds` there is no drain time."""

    def __init__(self, seconds: float = 0.0) -> None:
        self._seconds = seconds
        self._flag = RawValue("b", 0)

    @property
    def is_on(self) -> bool:
        """Whether the server will stop soon."""
        return bool(self._flag.value)

    def handler(self, stop: Callable[..., object]) -> Callable[..., None]:
        """A signal handler that calls `stop` after the drain time; a second signal calls it at once."""

        def handle(*arguments: Any) -> None:
            if self.is_on or self._seconds == 0:
                stop(*arguments)
                return
            self._flag.value = 1
            timer = threading.Timer(self._seconds, stop, arguments)
            timer.daemon = True
            timer.start()

        return handle
