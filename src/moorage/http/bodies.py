"""Request bodies, in chunks or whole, with limits for their size and for how long they may stall.

ASGI servers do not time out a body, so this module does: after 30 seconds without a byte, or when a minute brings less
than 1 KiB per second. An incomplete body is never taken for a complete one: `more_body = False` ends it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from moorage.domain.errors import BodyTimeout, RequestEntityTooLarge
from moorage.domain.ports import CHUNK_BYTES

Receive = Callable[[], Awaitable[dict[str, Any]]]

_LARGE_PIECE_BYTES: Final = 128 << 10
_LONG_BODY_BYTES: Final = 64 << 10


class ClientGone(Exception):
    """The connection ended before the body did, so no response can be sent."""


@dataclass(frozen=True, slots=True)
class BodyTimeouts:
    """Limits for slow bodies: the time without a byte, and the bytes per window. Checked every `check_seconds`."""

    idle_seconds: float = 30.0
    window_seconds: float = 60.0
    window_bytes: int = 60 * 1024
    check_seconds: float = 5.0


BODY_TIMEOUTS = BodyTimeouts()


def _ignore(_: bytes) -> None: ...


class RequestBody:
    """A request body. It is read once, in chunks or whole; `received` counts its bytes.

    `content_length` is None for a chunked body. `read_ahead` is the number of messages to request at once; more than
    one only if the server keeps their order.
    """

    __slots__ = ("_read_ahead", "_receive", "content_length", "received")

    def __init__(self, receive: Receive, content_length: bytes | None, read_ahead: int) -> None:
        self._receive = receive
        self._read_ahead = read_ahead
        self.content_length = int(content_length) if content_length is not None and content_length.isdigit() else None
        self.received = 0

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives, with small pieces joined up to CHUNK_BYTES. Raises ClientGone, BodyTimeout.

        Docker sends 32 KiB at a time; processing one piece of 1 MiB costs less than processing 32 small ones.
        """
        pieces: list[bytes] = []
        size = 0
        async for piece in self._pieces():
            pieces.append(piece)
            size += len(piece)
            if size >= CHUNK_BYTES or len(piece) >= _LARGE_PIECE_BYTES:
                yield pieces[0] if len(pieces) == 1 else b"".join(pieces)
                pieces, size = [], 0
        if pieces:
            yield pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def whole(self, limit: int, observe: Callable[[bytes], None] = _ignore) -> bytes:
        """Read the whole body, at most `limit` bytes. `observe` gets each piece while the next one arrives.

        Raises RequestEntityTooLarge, ClientGone, BodyTimeout.
        """
        content_length = self.content_length
        if content_length is not None and content_length > limit:
            raise RequestEntityTooLarge(limit=limit)
        pieces, size = [], 0
        async for piece in self._pieces():
            size += len(piece)
            if size > limit:
                raise RequestEntityTooLarge(limit=limit)
            observe(piece)
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def _pieces(self) -> AsyncIterator[bytes]:
        watchdog = _Watchdog(BODY_TIMEOUTS)
        messages = _Messages(self._receive, self._read_ahead if self.content_length is None else 1)
        try:
            more = self.content_length != 0
            while more:
                watchdog.waiting = True
                message = await messages.next()
                watchdog.waiting = False
                if message["type"] == "http.disconnect":
                    raise ClientGone
                more = message.get("more_body", False)
                body: bytes = message.get("body", b"")
                if body:
                    watchdog.received += len(body)
                    messages.received(len(body))
                    yield body
        except asyncio.CancelledError:
            if watchdog.expired:
                raise BodyTimeout from None
            raise
        finally:
            self.received += watchdog.received
            watchdog.stop()


class _Messages:
    """The ASGI messages of a body, requested ahead where that helps.

    Granian passes each piece from its thread to ours, which takes longer than processing 32 KiB. Requested one by one,
    Docker's chunked body arrives at 250 MB/s; with 16 requests in flight, at 1,100 MB/s. Granian answers them in order:
    each runs as a task of its single-threaded runtime, and all queue at one fair lock (granian 2.8, src/asgi/io.rs and
    src/runtime.rs). In a server whose `receive` is a coroutine, nothing starts before it is awaited, so messages are
    requested one by one.
    """

    __slots__ = ("_count", "_max_ahead", "_receive", "_waiting")

    def __init__(self, receive: Receive, max_ahead: int) -> None:
        self._receive = receive
        self._max_ahead = max_ahead
        self._waiting: deque[Awaitable[dict[str, Any]]] = deque()
        self._count = 0

    async def next(self) -> dict[str, Any]:
        return await (self._waiting.popleft() if self._waiting else self._receive())

    def received(self, size: int) -> None:
        """Request ahead once the body is known to be long, for about as many bytes as one chunk has."""
        self._count += size
        if self._max_ahead > 1 and self._count > _LONG_BODY_BYTES:
            needed = min(self._max_ahead, CHUNK_BYTES // size)
            while len(self._waiting) < needed:
                self._waiting.append(self._receive())


class _Watchdog:
    """Cancels the task that waits for a stalled body. Time in which the server itself is busy does not count."""

    __slots__ = (
        "_handle",
        "_idle_since",
        "_loop",
        "_task",
        "_timeouts",
        "_total",
        "_window",
        "expired",
        "received",
        "waiting",
    )

    def __init__(self, timeouts: BodyTimeouts) -> None:
        self._timeouts = timeouts
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._idle_since = self._window = self._loop.time()
        self._total = (0, 0)
        self.received = 0
        self.waiting = False
        self.expired = False
        self._handle = self._loop.call_later(self._timeouts.check_seconds, self._check)

    def stop(self) -> None:
        self._handle.cancel()

    def _check(self) -> None:
        now = self._loop.time()
        seen, window_start = self._total
        if self.received != seen or not self.waiting:
            self._idle_since = now
        if not self.waiting:
            self._window = now
            window_start = self.received
        too_slow = False
        if now - self._window >= self._timeouts.window_seconds:
            too_slow = self.received - window_start < self._timeouts.window_bytes
            self._window, window_start = now, self.received
        self._total = (self.received, window_start)
        if too_slow or now - self._idle_since >= self._timeouts.idle_seconds:
            self.expired = True
            if self._task is not None:
                self._task.cancel()
            return
        self._handle = self._loop.call_later(self._timeouts.check_seconds, self._check)


class BodyBudget:
    """A memory limit for bodies that are read whole: large ones wait until memory is free.

    A part of 20 MiB is in memory as base64 and decoded at once, so many parts at a time would need too much.
    """

    def __init__(self, total: int = 96 << 20) -> None:
        self._free = total
        self._total = total
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def reserve(self, body: RequestBody, limit: int) -> AsyncIterator[None]:
        """Reserve memory for a body and its decoded form; small bodies need no reservation."""
        content_length = body.content_length
        needed = 2 * min(limit if content_length is None else content_length, limit)
        if needed <= 2 * CHUNK_BYTES:
            yield
            return
        needed = min(needed, self._total)
        async with self._changed:
            await self._changed.wait_for(lambda: self._free >= needed)
            self._free -= needed
        try:
            yield
        finally:
            async with self._changed:
                self._free += needed
                self._changed.notify_all()
