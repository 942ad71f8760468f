"""Request bodies: in pieces or whole, never more than asked for, never waited for without end.

No ASGI server gives up on a body that stalls, so this module does: after 30 seconds without a byte, and when a minute
brings less than 1 KiB a second. A body that breaks off is never taken for a whole one: `more_body = False` ends it.
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

_LARGE_BYTES: Final = 128 << 10
_LONG_BYTES: Final = 64 << 10


class ClientGone(Exception):
    """The connection ended before the body did; there is nobody to answer."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How slow a body may be: so long without a byte, and so many bytes in so long. Looked at every `look_seconds`."""

    idle_seconds: float = 30.0
    floor_seconds: float = 60.0
    floor_bytes: int = 60 * 1024
    look_seconds: float = 5.0


PATIENCE = Patience()


def _nothing(_: bytes) -> None: ...


class RequestBody:
    """A request body. It is read once, in chunks or whole, and counts the bytes that were `received`.

    `content_length` is None for a body that is sent in chunks. `read_ahead` is how many messages may be asked for at
    once; more than one only where the server keeps their order.
    """

    __slots__ = ("_read_ahead", "_receive", "content_length", "received")

    def __init__(self, receive: Receive, content_length: bytes | None, read_ahead: int) -> None:
        self._receive = receive
        self._read_ahead = read_ahead
        self.content_length = int(content_length) if content_length is not None and content_length.isdigit() else None
        self.received = 0

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives, small pieces joined up to CHUNK_BYTES. Raises ClientGone, BodyTimeout.

        docker sends 32 KiB at a time: what is done with a piece costs less for one of 1 MiB than for 32 of those.
        """
        pieces: list[bytes] = []
        size = 0
        async for piece in self._pieces():
            pieces.append(piece)
            size += len(piece)
            if size >= CHUNK_BYTES or len(piece) >= _LARGE_BYTES:
                yield pieces[0] if len(pieces) == 1 else b"".join(pieces)
                pieces, size = [], 0
        if pieces:
            yield pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def whole(self, limit: int, observe: Callable[[bytes], None] = _nothing) -> bytes:
        """The body, of at most `limit` bytes; `observe` sees each piece while the next one is on its way.

        Raises RequestEntityTooLarge, ClientGone, BodyTimeout.
        """
        announced = self.content_length
        if announced is not None and announced > limit:
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
        watchdog = _Watchdog(PATIENCE)
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
    """The messages of a body, asked for a little ahead where that helps.

    Granian hands each piece from its own thread to ours, which takes longer than what there is to do with 32 KiB: asked
    for one by one, a chunked body of docker came with 250 MB/s, with 16 under way it comes with 1,100 MB/s. They are
    answered in the order they were asked for: each runs as a task of Granian's single-threaded runtime, and all queue
    at one fair lock (granian 2.8, src/asgi/io.rs and src/runtime.rs). A server whose `receive` is a coroutine starts
    nothing before it is awaited; it is asked one by one.
    """

    __slots__ = ("_count", "_most", "_receive", "_waiting")

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive = receive
        self._most = most
        self._waiting: deque[Awaitable[dict[str, Any]]] = deque()
        self._count = 0

    async def next(self) -> dict[str, Any]:
        return await (self._waiting.popleft() if self._waiting else self._receive())

    def received(self, size: int) -> None:
        """Ask ahead once the body proves to be long, for about as many bytes as one chunk for the core has."""
        self._count += size
        if self._most > 1 and self._count > _LONG_BYTES:
            wanted = min(self._most, CHUNK_BYTES // size)
            while len(self._waiting) < wanted:
                self._waiting.append(self._receive())


class _Watchdog:
    """Cancels the task that waits for a body which does not come. Time in which *we* are busy does not count."""

    __slots__ = (
        "_handle",
        "_idle_since",
        "_loop",
        "_patience",
        "_task",
        "_total",
        "_window",
        "expired",
        "received",
        "waiting",
    )

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._idle_since = self._window = self._loop.time()
        self._total = (0, 0)
        self.received = 0
        self.waiting = False
        self.expired = False
        self._handle = self._loop.call_later(self._patience.look_seconds, self._look)

    def stop(self) -> None:
        self._handle.cancel()

    def _look(self) -> None:
        now = self._loop.time()
        seen, window_start = self._total
        if self.received != seen or not self.waiting:
            self._idle_since = now
        if not self.waiting:
            self._window = now
            window_start = self.received
        too_slow = False
        if now - self._window >= self._patience.floor_seconds:
            too_slow = self.received - window_start < self._patience.floor_bytes
            self._window, window_start = now, self.received
        self._total = (self.received, window_start)
        if too_slow or now - self._idle_since >= self._patience.idle_seconds:
            self.expired = True
            if self._task is not None:
                self._task.cancel()
            return
        self._handle = self._loop.call_later(self._patience.look_seconds, self._look)


class BodyBudget:
    """Memory for bodies that must be whole before anything is done with them: large ones wait for their turn.

    A part of 20 MiB is there as base64 and decoded at once: without a bound, many parts at a time would be too much.
    """

    def __init__(self, total: int = 96 << 20) -> None:
        self._free = total
        self._total = total
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def room_for(self, body: RequestBody, limit: int) -> AsyncIterator[None]:
        """Hold memory for a body and what is decoded from it; small bodies do not ask."""
        announced = body.content_length
        wanted = 2 * min(limit if announced is None else announced, limit)
        if wanted <= 2 * CHUNK_BYTES:
            yield
            return
        wanted = min(wanted, self._total)
        async with self._changed:
            await self._changed.wait_for(lambda: self._free >= wanted)
            self._free -= wanted
        try:
            yield
        finally:
            async with self._changed:
                self._free += wanted
                self._changed.notify_all()
