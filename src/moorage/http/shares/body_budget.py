"""The memory of a worker process for bodies that are read whole."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from moorage.domain.errors import Unavailable
from moorage.http.messages import Request

_TOTAL_BYTES: Final = 128 << 20
_WAIT_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True, eq=False)
class _Body:
    """Memory for one body. `limits` has the most that its caller and its address may hold."""

    needed: int
    limits: Mapping[tuple[str, str], int]
    granted: asyncio.Future[None]


class BodyBudget:
    """Bounds the memory of all bodies that are read whole: large ones wait until memory is free.

    A share has at most half of it, so the rest is enough for a layer part of another one: a part of 20 MiB is in memory
    as base64 and decoded at once. All shares of an address have three quarters: a caller whose first requests count for
    its address has two shares for a time.
    """

    def __init__(self, total: int = _TOTAL_BYTES, wait_seconds: float = _WAIT_SECONDS) -> None:
        self._free = self._total = total
        self._wait_seconds = wait_seconds
        self._held: Counter[tuple[str, str]] = Counter()
        self._waiting: deque[_Body] = deque()

    @asynccontextmanager
    async def reserve(self, request: Request, limit: int) -> AsyncIterator[None]:
        """Reserve memory for the body of a request and its decoded form, which are at most `limit` bytes each.

        Raises Unavailable if there is none for too long.
        """
        length = request.body.content_length
        needed = min(2 * min(limit if length is None else length, limit), self._total // 2)
        limits = {("share", request.share): self._total // 2, ("address", request.client): self._total * 3 // 4}
        body = _Body(needed, limits, asyncio.get_running_loop().create_future())
        if not self._waiting and self._fits(body):
            self._take(body)
        else:
            await self._wait(body)
        try:
            yield
        finally:
            self._release(body)

    def _fits(self, body: _Body) -> bool:
        return self._free >= body.needed and all(
            self._held[holder] + body.needed <= limit for holder, limit in body.limits.items()
        )

    def _take(self, body: _Body) -> None:
        self._free -= body.needed
        for holder in body.limits:
            self._held[holder] += body.needed

    def _release(self, body: _Body) -> None:
        self._free += body.needed
        for holder in body.limits:
            self._held[holder] -= body.needed
            if not self._held[holder]:
                del self._held[holder]
        self._grant()

    async def _wait(self, body: _Body) -> None:
        self._waiting.append(body)
        self._grant()
        try:
            async with asyncio.timeout(self._wait_seconds):
                await body.granted
        except BaseException as error:
            if body.granted.done() and not body.granted.cancelled():
                self._release(body)
            else:
                self._waiting.remove(body)
            if isinstance(error, TimeoutError):
                raise Unavailable(reason="Too many request bodies are being received") from None
            raise

    def _grant(self) -> None:
        """Grant memory in order. A body that must wait for its own share or address does not hold up others."""
        for body in list(self._waiting):
            if self._fits(body):
                self._waiting.remove(body)
                self._take(body)
                body.granted.set_result(None)
            elif self._free < body.needed:
                return
