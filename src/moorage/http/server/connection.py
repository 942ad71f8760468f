"""One connection: it receives requests one after another, and passes each to the application."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Final

from moorage.domain.hosts import is_loopback
from moorage.http.bodies import ClientGone, RequestBody
from moorage.http.messages import CLOSE, RequestHead, Response, Send
from moorage.http.server.exchange import Exchange, discard, head_of
from moorage.http.server.limits import ConnectionLimits
from moorage.http.server.parser import IncomingRequest, MalformedRequest, RequestParser
from moorage.http.server.socket_io import SocketIo

Serve = Callable[[RequestHead, RequestBody, Send], Awaitable[None]]

_HEAD_BYTES: Final = 16 << 10
"""How many bytes to receive at once while no body is expected."""


class Connection:
    """Serves the requests of one client, one after another, until one side closes the connection."""

    def __init__(self, accepted: socket.socket, client: str, scheme: str, limits: ConnectionLimits) -> None:
        self.io = SocketIo(asyncio.get_running_loop(), accepted, is_local=is_loopback(client))
        self.client = client
        self._scheme = scheme
        self._limits = limits
        self._parser = RequestParser()
        self._is_between_requests = True
        self._is_stopping = False

    async def serve(self, serve: Serve) -> None:
        """Serve requests; returns when the connection may be closed. Raises what `serve` raises, but ClientGone."""
        try:
            while not self._is_stopping and await self._serve_next(serve):
                pass
        except ClientGone:
            return
        except MalformedRequest as error:
            await self._refuse(error.status, str(error))

    def stop(self) -> None:
        """Close the connection after the request in progress, or at once if there is none."""
        self._is_stopping = True
        if self._is_between_requests:
            self.io.interrupt()

    async def _serve_next(self, serve: Serve) -> bool:
        """Serve the next request; returns whether another one may follow. Raises ClientGone, MalformedRequest."""
        incoming = await self._next_request()
        self._is_between_requests = False
        head = incoming.head
        head.client, head.scheme = self.client, self._scheme
        exchange = Exchange(self.io, self._parser, incoming, self._limits)
        if self._is_stopping:
            exchange.keep_alive = False
        await serve(head, RequestBody(exchange, incoming.content_length), exchange.send)
        self._is_between_requests = True
        return exchange.keep_alive

    async def _next_request(self) -> IncomingRequest:
        """The next request, once its head is complete. Raises ClientGone, MalformedRequest."""
        parser, io, limits = self._parser, self.io, self._limits
        seconds = limits.idle
        deadline = 0.0
        while not parser.requests:
            if not parser.is_idle:
                now = asyncio.get_running_loop().time()
                deadline = deadline or now + limits.head
                seconds = deadline - now
            try:
                await io.readable(seconds)
            except TimeoutError as error:
                raise ClientGone from error
            data = io.receive(_HEAD_BYTES)
            while data and not parser.requests:  # TLS may have more bytes than the socket shows.
                parser.feed(data)
                data = None if parser.requests else io.receive(_HEAD_BYTES)
            if data == b"":
                raise ClientGone
        return parser.requests.popleft()

    async def _refuse(self, status: int, reason: str) -> None:
        """Answer bytes that are no valid request, and end the connection."""
        text = f"{reason}\n".encode()
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(text)), CLOSE]
        try:
            await self.io.send(head_of(Response(status, headers)) + text, self._limits.send)
        except ClientGone:
            return
        self.io.finish_sending()
        await discard(self.io, self._limits)
