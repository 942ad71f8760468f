"""One request and its response on a connection: the source of the body, and the sender of the response."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable
from contextlib import suppress
from email.utils import formatdate
from http import HTTPStatus
from typing import Final

from moorage.domain.errors import BodyTimeout, MalformedBody
from moorage.http.bodies import ClientGone
from moorage.http.messages import CLOSE, RETRY_SECONDS, RequestHead, Response
from moorage.http.server.limits import ConnectionLimits
from moorage.http.server.parser import IncomingRequest, MalformedRequest, RequestParser
from moorage.http.server.socket_io import SocketIo

_RECEIVE_BYTES: Final = (64 << 10, 256 << 10, 1 << 20)
"""How many bytes of a body to receive at once: more while it arrives fast, so that a slow one takes little memory."""

_JOINED_BYTES: Final = 64 << 10
"""Up to this size, a body is sent with its head in one call; a copy of a larger one would take memory for as long."""

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_REASONS: Final = {status.value: status.phrase.encode() for status in HTTPStatus}


class Exchange:
    """Reads the body of a request from its connection, and sends the response to it.

    `keep_alive`: another request may follow on the connection.
    """

    __slots__ = (
        "_incoming",
        "_io",
        "_is_stalled",
        "_limits",
        "_parser",
        "_seconds_waited",
        "_size_index",
        "_wants_continue",
        "_window_bytes",
        "keep_alive",
        "least_rate",
    )

    def __init__(
        self, io: SocketIo, parser: RequestParser, incoming: IncomingRequest, limits: ConnectionLimits
    ) -> None:
        self._io = io
        self._parser = parser
        self._incoming = incoming
        self._limits = limits
        self._is_stalled = False
        self._size_index = 0
        self._seconds_waited = 0.0
        self._window_bytes = 0
        self._wants_continue = not incoming.is_complete and _expects_continue(incoming.head)
        self.keep_alive = incoming.keep_alive
        self.least_rate = limits.window_bytes / limits.window

    # --- The body -------------------------------------------------------------------------------------------------

    @property
    def has_arrived(self) -> bool:
        """Whether the connection has received the whole body."""
        return self._incoming.is_complete

    def require_within_limit(self, size: int) -> None:
        """Require the rate at which a body of that size arrives in time to be kept in memory."""
        self.least_rate = max(self.least_rate, size / self._limits.whole_body)

    async def read(self) -> bytes:
        """The next bytes of the body; empty at its end. Raises ClientGone, BodyTimeout, MalformedBody."""
        incoming = self._incoming
        while not incoming.pieces and not incoming.is_complete:
            data = await self._receive()
            if incoming.missing is None:
                self._parse(data)
                continue
            incoming.missing -= len(data)
            if incoming.missing == 0:
                incoming.is_complete = True
                self._parser.skip_body()
            return data
        return incoming.pieces.popleft() if incoming.pieces else b""

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.feed(data)
        except MalformedRequest as error:
            raise MalformedBody(reason=str(error)) from None

    async def _receive(self) -> bytes:
        """Bytes of the connection, at least one. Raises ClientGone, BodyTimeout."""
        if self._wants_continue:
            self._wants_continue = False
            await self._io.send(_CONTINUE, self._limits.send)
        size = _RECEIVE_BYTES[self._size_index]
        if self._incoming.missing is not None:
            size = min(size, self._incoming.missing)
        while (data := self._io.receive(size)) is None:
            await self._wait()
        if not data:
            raise ClientGone
        self._window_bytes += len(data)
        if len(data) == size:
            self._size_index = min(self._size_index + 1, len(_RECEIVE_BYTES) - 1)
        elif len(data) < size // 4:
            self._size_index = max(self._size_index - 1, 0)
        return data

    async def _wait(self) -> None:
        """Wait for bytes of the body. Time in which the server itself is busy does not count. Raises BodyTimeout."""
        clock = asyncio.get_running_loop().time
        started = clock()
        try:
            await self._io.readable(self._limits.body)
        except TimeoutError:
            self._is_stalled = True
            raise BodyTimeout from None
        self._seconds_waited += clock() - started
        if self._seconds_waited >= self._limits.window:
            if self._window_bytes < self.least_rate * self._seconds_waited:
                self._is_stalled = True
                raise BodyTimeout
            self._seconds_waited, self._window_bytes = 0.0, 0

    # --- The response ---------------------------------------------------------------------------------------------

    async def send(self, response: Response) -> None:
        """Send the response. Raises ClientGone, and for a file or stream that breaks off OSError or EOFError.

        A client that is still sending the body does not read a response until the server receives more, or closes the
        connection in order (RFC 9112, section 9.6). So the connection ends with the response, and the rest of the body
        is received and discarded first, unless the client has stopped to send it.
        """
        body_was_read = self._incoming.is_complete and not self._incoming.pieces
        if not body_was_read:
            self.keep_alive = False
        if CLOSE in response.headers:
            self.keep_alive = False
        elif not self.keep_alive:
            response.headers.append(CLOSE)
        kept, self.keep_alive = self.keep_alive, False
        try:
            await self._send(head_of(response), response)
        finally:
            if response.file is not None:
                os.close(response.file.descriptor)
        self.keep_alive = kept
        if not self._incoming.is_complete and not self._is_stalled:
            self._io.finish_sending()
            await discard(self._io, self._limits)

    def _send(self, head: bytes, response: Response) -> Awaitable[None]:
        io, seconds = self._io, self._limits.send
        if self._incoming.head.method == "HEAD":  # RFC 9110, section 9.3.2: the head of a GET, without its content.
            return io.send(head, seconds)
        if response.file is not None:
            return io.send_file(head, response.file, response.size, seconds)
        if response.stream is not None or len(response.body) > _JOINED_BYTES:
            return self._send_in_parts(head, response)
        return io.send(head + response.body, seconds)

    async def _send_in_parts(self, head: bytes, response: Response) -> None:
        io, seconds = self._io, self._limits.send
        await io.send(head, seconds)
        if response.stream is None:
            await io.send(response.body, seconds)
        else:
            async for chunk in response.stream:
                await io.send(chunk, seconds)


def _expects_continue(head: RequestHead) -> bool:
    return any(name == b"expect" and value.lower() == b"100-continue" for name, value in head.headers)


async def discard(io: SocketIo, limits: ConnectionLimits) -> None:
    """Receive and discard what the client still sends, until it closes the connection or a limit is reached."""
    clock = asyncio.get_running_loop().time
    deadline, rest = clock() + limits.discard, limits.discard_bytes
    with suppress(ClientGone, TimeoutError):
        while rest > 0 and (seconds := deadline - clock()) > 0:
            data = io.receive(_RECEIVE_BYTES[1])
            if data is None:
                await io.readable(seconds)
            elif data:
                rest -= len(data)
            else:
                return


def head_of(response: Response) -> bytes:
    """The head of a response as it is sent (RFC 9112, sections 4 and 5)."""
    status, lines = response.status, b"".join([b"%b: %b\r\n" % header for header in response.headers])
    return b"HTTP/1.1 %d %b\r\n%bdate: %b\r\n\r\n" % (status, _REASONS.get(status, b""), lines, _date())


BUSY: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 21\r\n"
    b"retry-after: %d\r\nconnection: close\r\n\r\ntoo many connections\n" % RETRY_SECONDS
)
"""The response to a connection that is one too many."""


class _Date:
    second = 0
    text = b""


def _date() -> bytes:
    """The current date (RFC 9110, section 6.6.1), formatted once per second."""
    second = int(time.time())
    if _Date.second != second:
        _Date.second, _Date.text = second, formatdate(second, usegmt=True).encode()
    return _Date.text
