"""Time limits of a connection. Clients that send or accept too little are cut off; time that the server needs is not
counted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace

import pytest

from moorage.domain.errors import BodyTimeout
from moorage.http.bodies import RequestBody
from moorage.http.messages import RequestHead, Response, Send
from moorage.http.server.limits import ConnectionLimits
from tests.unit.http.connection import LIMITS, Client, answer, with_connection

HEAD = b"PUT / HTTP/1.1\r\nhost: r\r\ncontent-length: 1000\r\n\r\n"


async def receive(_: RequestHead, body: RequestBody, send: Send) -> None:
    """Receive the body in chunks; answer 408 if it does not arrive in time."""
    try:
        size = sum([len(chunk) async for chunk in body.chunks()])
    except BodyTimeout:
        await send(answer(408))
    else:
        await send(answer(200, b"%d" % size))


async def dripped(client: Client, seconds: float, count: int, piece: bytes = b"x") -> None:
    for _ in range(count):
        await asyncio.sleep(seconds)
        await client.send(piece)


async def status_while(client: Client, sending: asyncio.Task[None]) -> int:
    status = (await client.response())[0]
    sending.cancel()
    return status


def test_a_body_that_never_begins_ends_the_request() -> None:
    async def use(client: Client) -> int:
        await client.send(HEAD)
        return (await client.response())[0]

    assert with_connection(use, receive) == 408


def test_a_connection_whose_body_stalled_is_closed_with_the_response() -> None:
    """The server does not wait for the rest of the body, as it does for clients that are still sending."""

    async def use(client: Client) -> float:
        await client.send(HEAD)
        await client.response()
        started = time.monotonic()
        await client.rest()
        return time.monotonic() - started

    assert with_connection(use, receive, replace(LIMITS, discard=60.0)) < 30


def test_a_body_that_stalls_in_the_middle_ends_the_request() -> None:
    async def use(client: Client) -> int:
        await client.send(HEAD + b"x" * 900)
        return (await client.response())[0]

    assert with_connection(use, receive) == 408


def test_a_body_below_the_minimum_rate_ends_the_request() -> None:
    """One byte at a time, never idle for long: 60 bytes in 1.2 s, where 120 are required."""

    async def use(client: Client) -> int:
        await client.send(HEAD)
        return await status_while(client, asyncio.create_task(dripped(client, 0.02, 900)))

    assert with_connection(use, receive) == 408


def test_a_body_that_becomes_too_slow_ends_the_request() -> None:
    """Fast bytes at the beginning do not make up for slow ones later."""

    async def use(client: Client) -> int:
        await client.send(HEAD + b"x" * 500)
        return await status_while(client, asyncio.create_task(dripped(client, 0.02, 400)))

    assert with_connection(use, receive) == 408


def test_a_slow_body_above_the_minimum_rate_arrives() -> None:
    async def use(client: Client) -> bytes:
        await client.send(HEAD)
        await dripped(client, 0.05, 20, b"x" * 50)
        return (await client.response())[2]

    assert with_connection(use, receive, replace(LIMITS, body=60.0)) == b"1000"


def test_a_body_that_is_kept_in_memory_must_arrive_at_a_rate_that_rises_with_its_size() -> None:
    """50 bytes per 0.05 s are enough for a stream, but 4,000 bytes in memory must arrive within three seconds."""
    large = b"PUT / HTTP/1.1\r\nhost: r\r\ncontent-length: 4000\r\n\r\n"

    async def whole(_: RequestHead, body: RequestBody, send: Send) -> None:
        try:
            await body.whole(1 << 20)
        except BodyTimeout:
            await send(answer(408))

    async def use(client: Client) -> int:
        await client.send(large)
        return await status_while(client, asyncio.create_task(dripped(client, 0.05, 79, b"x" * 50)))

    assert with_connection(use, whole) == 408


@pytest.mark.parametrize("piece", [b"x", b"x" * 300])
def test_time_that_the_server_needs_is_not_counted(piece: bytes) -> None:
    async def slow(_: RequestHead, body: RequestBody, send: Send) -> None:
        size = 0
        async for chunk in body.chunks():
            size += len(chunk)
            await asyncio.sleep(1.5)  # A slow disk.
        await send(answer(200, b"%d" % size))

    async def use(client: Client) -> bytes:
        await client.send(b"PUT / HTTP/1.1\r\nhost: r\r\ncontent-length: %d\r\n\r\n" % (3 * len(piece)))
        for _ in range(3):
            await client.send(piece)
        return (await client.response())[2]

    assert with_connection(use, slow) == b"%d" % (3 * len(piece))


def test_a_head_that_drips_closes_the_connection() -> None:
    async def use(client: Client) -> float:
        started = time.monotonic()
        await client.send(b"GET / HTTP/1.1\r\nhost: r\r\nx-a: ")
        drip = asyncio.create_task(dripped(client, 0.05, 1_000))
        with suppress(ConnectionError):
            await client.rest()
        drip.cancel()
        return time.monotonic() - started

    assert with_connection(use) >= LIMITS.head


def test_an_idle_connection_is_closed() -> None:
    async def use(client: Client) -> bytes:
        return await client.rest()

    assert with_connection(use) == b""


def large(_: RequestHead, __: RequestBody, send: Send) -> asyncio.Future[None]:
    async def stream() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield bytes(1 << 20)

    response = Response(200, [(b"content-length", b"%d" % (64 << 20))], stream=stream(), size=64 << 20)
    return asyncio.ensure_future(send(response))


def test_a_client_that_accepts_nothing_is_disconnected() -> None:
    async def use(client: Client) -> None:
        await client.send(b"GET / HTTP/1.1\r\nhost: r\r\n\r\n")
        async with asyncio.timeout(60):
            await client.served

    with_connection(use, large)


def test_a_client_that_accepts_bytes_slowly_is_not_disconnected() -> None:
    """It needs longer than the limit for all of them, but is never still for as long.

    If the machine stood still for as long, the limit was reached: then the test tries again.
    """
    limits = replace(LIMITS, send=2.0)

    async def use(client: Client) -> tuple[int, float]:
        """The number of bytes, and the longest time without any."""
        await client.send(b"GET / HTTP/1.1\r\nhost: r\r\n\r\n")
        received, longest = 0, 0.0
        while received < 64 << 20:
            before = time.monotonic()
            await asyncio.sleep(0.01)
            part = await client.some()
            longest = max(longest, time.monotonic() - before)
            if not part:
                break
            received += len(part)
        return received, longest

    for _ in range(20):
        received, longest = with_connection(use, large, limits)
        if received > 64 << 20 or longest < limits.send / 2:
            break
    assert received > 64 << 20


def test_the_limits_are_the_documented_ones() -> None:
    limits = ConnectionLimits()
    assert (limits.head, limits.idle, limits.body, limits.send) == (30, 120, 75, 75)
    assert (limits.window, limits.window_bytes, limits.whole_body) == (60, 60 << 10, 300)
