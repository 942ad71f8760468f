"""The memory of a worker process for bodies that are read whole."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from moorage.domain.errors import Unavailable
from moorage.http.messages import Request

_TOTAL_BYTES: Final = 128 << 20
_WAIT_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class _Waiter:
    share: str
    needed: int
    granted: asyncio.Future[None]


class BodyBudget:
    """Bounds the memory of all bodies that are read whole: large ones wait until memory is free.

    A share (`shares.py`) has at most half of it, so the rest is enough for a layer part of another one: a part of
    20 MiB is in memory as base64 and decoded at once.
    """

    def __init__(self, total: int = _TOTAL_BYTES, wait_seconds: float = _WAIT_SECONDS) -> None:
        self._free = self._total = total
        self._wait_seconds = wait_seconds
        self._held: Counter[str] = Counter()
        self._waiters: deque[_Waiter] = deque()

    @asynccontextmanager
    async def reserve(self, request: Request, limit: int) -> AsyncIterator[None]:
        """Reserve memory for the body of a request and its decoded form, which are at most `limit` bytes each.

        Raises Unavailable if there is none for too long.
        """
        length = request.body.content_length
        needed = min(2 * min(limit if length is None else length, limit), self._total // 2)
        share = request.share
        if not self._waiters and self._fits(share, needed):
            self._take(share, needed)
        else:
            await self._wait(share, needed)
        try:
            yield
        finally:
            self._release(share, needed)

    def _fits(self, share: str, needed: int) -> bool:
        return self._free >= needed and self._held[share] + needed <= self._total // 2

    def _take(self, share: str, needed: int) -> None:
        self._free -= needed
        self._held[share] += needed

    def _release(self, share: str, needed: int) -> None:
        self._free += needed
        self._held[share] -= needed
        if not self._held[share]:
            del self._held[share]
        self._grant()

    async def _wait(self, share: str, needed: int) -> None:
        waiter = _Waiter(share, needed, asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        self._grant()
        try:
            async with asyncio.timeout(self._wait_seconds):
                await waiter.granted
        except BaseException as error:
            if waiter.granted.done() and not waiter.granted.cancelled():
                self._release(share, needed)
            else:
                self._waiters.remove(waiter)
            if isinstance(error, TimeoutError):
                raise Unavailable(reason="Too many request bodies are being received") from None
            raise

    def _grant(self) -> None:
        """Grant memory in order. A waiter that must wait for its own share alone does not hold up others."""
        for waiter in list(self._waiters):
            if self._fits(waiter.share, waiter.needed):
                self._waiters.remove(waiter)
                self._take(waiter.share, waiter.needed)
                waiter.granted.set_result(None)
            elif self._free < waiter.needed:
                return
