"""Many slow connections in one asyncio loop. Each is a visit; a connection that ends is opened again."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress

from moorage_bench.floods.site import SOURCE, Site

DRIP_BYTES = 1331
"""Bytes a second: more than the slowest body that Moorage accepts, 1 KiB/s."""

PAUSE_SECONDS = 0.5
POLL_SECONDS = 0.1


class Cut(Exception):
    """The server answered, or closed the connection."""


class Visitor:
    """One connection of a flood."""

    def __init__(self, site: Site, connection: socket.socket) -> None:
        self._site = site
        self._socket = connection
        self._loop = asyncio.get_running_loop()

    async def send(self, data: bytes) -> None:
        """Send the data, as fast as the server takes it. Raises Cut if the server answers before it has all of it."""
        sending = asyncio.ensure_future(self._loop.sock_sendall(self._socket, data))
        try:
            while not (await asyncio.wait([sending], timeout=1.0))[0]:
                self._look()
            await sending
        finally:
            sending.cancel()

    async def drip(self, rate: int = DRIP_BYTES, piece: bytes = b"x") -> None:
        """Send `rate` bytes a second until the server answers or closes. Raises Cut."""
        while True:
            await self.send(piece * rate)
            await self.hold(1.0)

    async def hold(self, seconds: float = float("inf")) -> None:
        """Neither send nor read. Raises Cut when the server answers or closes."""
        until = self._loop.time() + seconds
        while self._loop.time() < until:
            self._look()
            await asyncio.sleep(min(1.0, seconds))

    async def answer(self) -> None:
        """Read one answer that has no body or a short one."""
        data = await self._loop.sock_recv(self._socket, 1 << 16)
        self._count(data)

    async def sleep(self) -> None:
        """Hold the connection without a look at it: nothing is read, and nothing is noticed."""
        await asyncio.sleep(float("inf"))

    def _look(self) -> None:
        try:
            data = self._socket.recv(1 << 16)
        except BlockingIOError:
            return
        self._count(data)
        raise Cut

    def _count(self, data: bytes) -> None:
        self._site.counts[data[9:12].decode("latin-1") if data.startswith(b"HTTP/1.") else "closed"] += 1
        if not data:
            raise Cut


Visit = Callable[[Visitor, int], Awaitable[None]]


def crowd(site: Site, count: int, visit: Visit, *, receive_buffer: int = 0) -> None:
    """Keep `count` connections open until the site stops; `visit` gets each one and its number."""
    asyncio.run(_crowd(site, count, visit, receive_buffer))


async def _crowd(site: Site, count: int, visit: Visit, receive_buffer: int) -> None:
    tasks = [asyncio.ensure_future(_visits(site, number, visit, receive_buffer)) for number in range(count)]
    await asyncio.sleep(PAUSE_SECONDS)
    site.begin()
    while not site.stop.is_set():
        await asyncio.sleep(POLL_SECONDS)
        for task in tasks:
            if task.done():
                task.result()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _visits(site: Site, number: int, visit: Visit, receive_buffer: int) -> None:
    loop = asyncio.get_running_loop()
    while True:
        with socket.socket() as connection, suppress(OSError, Cut):
            connection.setblocking(False)
            connection.bind((SOURCE, 0))
            if receive_buffer:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            await loop.sock_connect(connection, site.target.address)
            site.counts["connections"] += 1
            await visit(Visitor(site, connection), number)
        await asyncio.sleep(PAUSE_SECONDS)
