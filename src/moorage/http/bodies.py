"""Request bodies, in chunks or whole, with limits for their size and for how long they may take.

An incomplete body is never taken for a complete one: its source raises ClientGone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Final, Protocol

from moorage.domain.errors import BodyTimeout, RequestEntityTooLarge
from moorage.domain.ports import CHUNK_BYTES

_LARGE_PIECE_BYTES: Final = 128 << 10


class ClientGone(Exception):
    """The connection ended before the body or the response did."""


class BodySource(Protocol):
    """The connection that a body arrives on."""

    @property
    def has_arrived(self) -> bool:
        """Whether `read` returns the rest of the body without waiting."""
        ...

    async def read(self) -> bytes:
        """The next bytes; empty at the end of the body. Raises ClientGone, BodyTimeout, MalformedBody."""
        ...

    def require_within_limit(self, size: int) -> None:
        """Require the rate at which a body of that size arrives in time to be kept in memory."""
        ...


def _ignore(_: bytes) -> None: ...


def _do_nothing() -> None: ...


class RequestBody:
    """A request body. It is read once, in chunks or whole; `received` counts its bytes.

    `content_length` is None for a chunked body. `before_waiting` is called before the body is read, unless it
    has arrived with the head.
    """

    __slots__ = ("_source", "before_waiting", "content_length", "received")

    def __init__(self, source: BodySource, content_length: int | None) -> None:
        self._source = source
        self.content_length = content_length
        self.before_waiting: Callable[[], None] = _do_nothing
        self.received = 0

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives, with small pieces joined up to CHUNK_BYTES.

        Docker sends 32 KiB at a time; processing one piece of 1 MiB costs less than processing 32 small ones. Raises
        ClientGone, BodyTimeout, MalformedBody.
        """
        self._begin()
        pieces: list[bytes] = []
        size = 0
        try:
            while piece := await self._source.read():
                self.received += len(piece)
                pieces.append(piece)
                size += len(piece)
                if size >= CHUNK_BYTES or len(piece) >= _LARGE_PIECE_BYTES:
                    yield _joined(pieces)
                    pieces, size = [], 0
        except (ClientGone, BodyTimeout):
            if pieces:
                yield _joined(pieces)  # An upload may keep what arrived (`Layers.append`).
            raise
        if pieces:
            yield _joined(pieces)

    async def whole(self, limit: int, observe: Callable[[bytes], None] = _ignore) -> bytes:
        """Read the whole body, at most `limit` bytes. `observe` gets each piece while the next one arrives.

        Raises RequestEntityTooLarge, ClientGone, BodyTimeout, MalformedBody.
        """
        if self.content_length is not None and self.content_length > limit:
            raise RequestEntityTooLarge(limit=limit)
        self._begin()
        self._source.require_within_limit(self.content_length or 0)
        pieces: list[bytes] = []
        while piece := await self._source.read():
            self.received += len(piece)
            if self.received > limit:
                raise RequestEntityTooLarge(limit=limit)
            observe(piece)
            pieces.append(piece)
        return _joined(pieces)

    def _begin(self) -> None:
        if not self._source.has_arrived:
            self.before_waiting()


def _joined(pieces: list[bytes]) -> bytes:
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
