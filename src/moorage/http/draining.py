"""The time between being told to stop and stopping: no more requests shall come, and those that come are served.

Balancers notice at their next look at /readyz; clients close a connection whose answer says so. What then still comes
in the moment of stopping would be cut off, so nothing must.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from multiprocessing.sharedctypes import RawValue
from typing import Any


class Drain:
    """Made before the worker processes are, in which the same flag is seen. Without `seconds` there is no such time."""

    def __init__(self, seconds: float = 0.0) -> None:
        self._seconds = seconds
        self._flag = RawValue("b", 0)

    @property
    def is_on(self) -> bool:
        """Whether the server will stop in a moment."""
        return bool(self._flag.value)

    def before(self, stop: Callable[..., object]) -> Callable[..., None]:
        """A handler for the signal that tells the server to stop: it calls `stop` later; a second signal, at once."""

        def handle(*arguments: Any) -> None:
            if self.is_on or self._seconds == 0:
                stop(*arguments)
                return
            self._flag.value = 1
            timer = threading.Timer(self._seconds, stop, arguments)
            timer.daemon = True
            timer.start()

        return handle
