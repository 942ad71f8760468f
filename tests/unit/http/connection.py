"""One connection of the HTTP server in this process, with limits of fractions of a second; tests are its client."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from moorage.http.bodies import RequestBody
from moorage.http.messages import RequestHead, Response, Send
from moorage.http.server.connection import Connection, Serve
from moorage.http.server.limits import ConnectionLimits

LIMITS = ConnectionLimits(
    idle=0.5,
    head=0.5,
    body=0.8,
    window=1.2,
    window_bytes=120,
    whole_body=3.0,
    send=0.8,
    discard=0.5,
    discard_bytes=1 << 20,
)
ELSEWHERE = "192.0.2.1"
"""The address of a client on another machine."""

_TICK_SECONDS = 0.02
_READ_SECONDS = 60


def answer(status: int, body: bytes = b"") -> Response:
    """A response with a body in memory."""
    return Response(status, [(b"content-length", b"%d" % len(body))], body)


class NoBody:
    """The source of a body without bytes."""

    has_arrived = True

    async def read(self) -> bytes:
        return b""

    def require_within_limit(self, size: int) -> None: ...


async def echo(head: RequestHead, body: RequestBody, send: Send) -> None:
    """Answer with the body of the request."""
    await send(answer(200, await body.whole(8 << 20)))


async def early(head: RequestHead, body: RequestBody, send: Send) -> None:
    """Answer without reading the body."""
    await send(answer(403, b"no"))


class Client:
    """The client's side of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, served: asyncio.Task[None]) -> None:
        self._reader = reader
        self._writer = writer
        self.served = served

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def response(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the next response."""
        async with asyncio.timeout(_READ_SECONDS):
            head = await self._reader.readuntil(b"\r\n\r\n")
            status, *lines = head.decode("latin-1").rstrip().split("\r\n")
            headers = dict(line.split(": ", 1) for line in lines)
            if status.split()[1] == "100":
                return 100, headers, b""
            body = await self._reader.readexactly(int(headers["content-length"]))
        return int(status.split()[1]), headers, body

    async def some(self) -> bytes:
        """Some more bytes; empty at the end."""
        async with asyncio.timeout(_READ_SECONDS):
            return await self._reader.read(1 << 20)

    async def until(self, end: bytes) -> bytes:
        """Everything up to these bytes."""
        async with asyncio.timeout(_READ_SECONDS):
            return await self._reader.readuntil(end)

    async def rest(self) -> bytes:
        """Everything until the server closes the connection."""
        async with asyncio.timeout(_READ_SECONDS):
            return await self._reader.read()

    def close_sending(self) -> None:
        """Send nothing more."""
        self._writer.write_eof()


def with_connection(
    use: Callable[[Client], Awaitable[Any]],
    serve: Serve = echo,
    limits: ConnectionLimits = LIMITS,
    address: str = ELSEWHERE,
) -> Any:
    """Run `use` with the client of a new connection from that address; the result is that of `use`."""

    async def scenario() -> Any:
        async with _connection(serve, limits, address) as client:
            return await use(client)

    return asyncio.run(scenario())


@asynccontextmanager
async def _connection(serve: Serve, limits: ConnectionLimits, address: str) -> Any:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    connection = Connection(ours, address, "http", limits)

    async def served() -> None:
        try:
            await connection.serve(serve)
        finally:
            connection.io.close()

    async def tick() -> None:
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            connection.io.expire(asyncio.get_running_loop().time(), limits.send)

    ticks, task = asyncio.create_task(tick()), asyncio.create_task(served())
    reader, writer = await asyncio.open_connection(sock=theirs)
    try:
        yield Client(reader, writer, task)
    finally:
        writer.close()
        await asyncio.wait([task], timeout=_READ_SECONDS)
        ticks.cancel()
        task.cancel()
