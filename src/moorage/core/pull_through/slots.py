"""Slots: how much one worker process fetches at once, in all, from one upstream registry, and for one caller.

Layers and manifests have slots of their own, so that a manifest does not wait for large layers.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from moorage.domain.pull_through.upstream_errors import UpstreamUnavailable

_SLOTS: Final = 16
_SLOTS_OF_UPSTREAM: Final = 12
_SLOTS_OF_CALLER: Final = 8
_WAIT_SECONDS: Final = 60.0
_MOST_WAITING: Final = 1000


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    limits: Mapping[tuple[str, str], int]
    granted: asyncio.Future[None]


class FetchSlots:
    """Slots for the fetches of one process. Each layer or manifest in a slot has a few MiB in memory (`growing.py`).

    No caller has more than half of the slots, and no upstream registry has all of them: one that stalls does not stop
    the others.
    """

    def __init__(self, total: int = _SLOTS, wait_seconds: float = _WAIT_SECONDS) -> None:
        self._free = total
        self._wait_seconds = wait_seconds
        self._held: Counter[tuple[str, str]] = Counter()
        self._waiting: deque[_Waiting] = deque()

    @asynccontextmanager
    async def taken(self, upstream: str, share: str, wait_seconds: float | None = None) -> AsyncIterator[None]:
        """Hold a slot. Raises UpstreamUnavailable if none is free for too long."""
        limits = {("upstream", upstream): _SLOTS_OF_UPSTREAM, ("share", share): _SLOTS_OF_CALLER}
        waiting = _Waiting(limits, asyncio.get_running_loop().create_future())
        if len(self._waiting) >= _MOST_WAITING:
            raise _busy(upstream)
        self._waiting.append(waiting)
        self._grant()
        try:
            async with asyncio.timeout(self._wait_seconds if wait_seconds is None else wait_seconds):
                await waiting.granted
        except BaseException as error:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
            else:
                self._release(waiting)
            if isinstance(error, TimeoutError):
                raise _busy(upstream) from None
            raise
        try:
            yield
        finally:
            self._release(waiting)

    def _grant(self) -> None:
        """Grant slots in order, but do not let one full share or upstream registry delay the others."""
        for waiting in list(self._waiting):
            if not self._free:
                return
            if all(self._held[holder] < limit for holder, limit in waiting.limits.items()):
                self._waiting.remove(waiting)
                self._free -= 1
                self._held.update(waiting.limits.keys())
                waiting.granted.set_result(None)

    def _release(self, waiting: _Waiting) -> None:
        self._free += 1
        for holder in waiting.limits:
            self._held[holder] -= 1
            if not self._held[holder]:
                del self._held[holder]
        self._grant()


def _busy(upstream: str) -> UpstreamUnavailable:
    return UpstreamUnavailable(reason=f"Too much is being fetched from {upstream}. Try again later")
