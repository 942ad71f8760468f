"""Silences: how long no request is sent to a registry that asked for fewer (429)."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from moorage.domain.remote_registries import RemoteAddress, RemoteThrottled

_MOST: Final = 1024


class Silences:
    """The silences of this process, by address: registries count requests by user."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._until: OrderedDict[RemoteAddress, float] = OrderedDict()
        self._now = now

    def require_none(self, address: RemoteAddress) -> None:
        """Raise RemoteThrottled while requests to a registry are not wanted."""
        left = self._until.get(address, 0.0) - self._now()
        if left > 0:
            raise RemoteThrottled("the registry asked for fewer requests", left)
        self._until.pop(address, None)

    def begin(self, address: RemoteAddress, seconds: float) -> None:
        """Send no request for that many seconds."""
        self._until[address] = self._now() + seconds
        self._until.move_to_end(address)
        if len(self._until) > _MOST:
            self._until.popitem(last=False)
