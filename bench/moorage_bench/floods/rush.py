"""Requests as fast as the server answers them, on a number of connections in one epoll loop."""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from contextlib import suppress

from moorage_bench.connections import BUFFER, BenchmarkError, Connection, Conversation, Request
from moorage_bench.floods.site import SOURCE, Site

ANY = tuple(range(200, 600))
"""A flood accepts every status."""

POLL_SECONDS = 0.1


def rush(site: Site, count: int, request: Callable[[], Request]) -> None:
    """Send what `request` returns on `count` connections until the site stops. Lost connections are opened again."""
    site.begin()
    connections: dict[int, Connection] = {}
    buffer = bytearray(BUFFER)
    with select.epoll() as poll:
        while not site.stop.is_set():
            missing = count - len(connections)
            if missing:
                time.sleep(POLL_SECONDS if site.counts["connections"] >= count else 0)
                _open(site, poll, connections, request, missing)
            for descriptor, _ in poll.poll(POLL_SECONDS):
                _go_on(site, connections, descriptor, buffer)
    for connection in connections.values():
        connection.socket.close()


def _open(
    site: Site, poll: select.epoll, connections: dict[int, Connection], request: Callable[[], Request], missing: int
) -> None:
    for _ in range(missing):
        with suppress(OSError):
            connection = Connection(site.target.address, _endless(request), source=SOURCE)
            site.counts["connections"] += 1
            connections[connection.socket.fileno()] = connection
            poll.register(connection.socket.fileno(), select.EPOLLIN)
            connection.submit(next(connection.conversation))


def _go_on(site: Site, connections: dict[int, Connection], descriptor: int, buffer: bytearray) -> None:
    connection = connections[descriptor]
    try:
        response = connection.receive(buffer, memoryview(buffer))
    except BenchmarkError:
        site.counts["closed"] += 1
        connections.pop(descriptor).socket.close()
        return
    if response is not None:
        site.counts[str(response.status)] += 1
        connection.submit(connection.conversation.send(response))


def _endless(request: Callable[[], Request]) -> Conversation:
    while True:
        yield request()
