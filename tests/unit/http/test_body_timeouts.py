"""Timeouts of request bodies. Clients that send too little are cut off; time that the server needs is not counted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from moorage.domain.errors import BodyTimeout
from moorage.http import bodies
from moorage.http.bodies import BodyTimeouts
from moorage.http.messages import Request

Message = dict[str, Any]
Body = Callable[[], AsyncIterator[bytes]]

BODY_TIMEOUTS = BodyTimeouts(idle_seconds=0.2, window_seconds=0.4, window_bytes=40, check_seconds=0.02)


@pytest.fixture(autouse=True)
def short_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_TIMEOUTS", BODY_TIMEOUTS)


def request(body: Body, **headers: str) -> Request:
    """A request whose body arrives as the generator yields it."""
    pieces = body()

    async def receive() -> Message:
        piece = await anext(pieces, None)
        return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}

    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in {"host": "r", **headers}.items()]
    scope = {"method": "PUT", "path": "/", "query_string": b"", "headers": pairs}
    return Request(scope, receive, "request-1")


def pausing(pause: float, count: int, piece: bytes = b"x") -> Body:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(count):
            await asyncio.sleep(pause)
            yield piece

    return body


def seconds_until_cut(body: Body) -> float:
    started = time.monotonic()
    with pytest.raises(BodyTimeout):
        asyncio.run(request(body).body.whole(1 << 20))
    return time.monotonic() - started


def test_a_body_that_never_begins_is_cut_off_after_the_idle_time() -> None:
    assert 0.2 <= seconds_until_cut(pausing(60, 1)) < 1


def test_a_body_that_stalls_in_the_middle_is_cut_off_after_the_idle_time() -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"x" * 1_000
        await asyncio.sleep(60)

    assert 0.2 <= seconds_until_cut(body) < 1


def test_a_body_below_the_minimum_rate_is_cut_off() -> None:
    """One byte at a time, never idle for long: 20 bytes in 0.4 s, where 40 are required."""
    assert 0.4 <= seconds_until_cut(pausing(0.02, 10_000)) < 2


def test_a_body_that_becomes_too_slow_is_cut_off() -> None:
    """Fast bytes at the beginning do not make up for slow ones later."""

    async def body() -> AsyncIterator[bytes]:
        yield b"x" * 10_000
        async for piece in pausing(0.02, 10_000)():
            yield piece

    assert 0.4 <= seconds_until_cut(body) < 2


def test_a_slow_body_above_the_minimum_rate_arrives() -> None:
    assert len(asyncio.run(request(pausing(0.05, 20, b"x" * 20)).body.whole(1 << 20))) == 400


@pytest.mark.parametrize("piece", [b"x", b"x" * (1 << 20)])
def test_time_that_the_server_needs_is_not_counted(piece: bytes) -> None:
    async def scenario() -> int:
        received = 0
        async for chunk in request(pausing(0, 3, piece)).body.chunks():
            received += len(chunk)
            await asyncio.sleep(0.5)  # A slow disk.
        return received

    assert asyncio.run(scenario()) == 3 * len(piece)


def test_a_task_that_is_cancelled_from_elsewhere_stays_cancelled() -> None:
    """For example because the server stops, which is not the client's fault."""

    async def scenario() -> None:
        task = asyncio.create_task(request(pausing(60, 1)).body.whole(100))
        await asyncio.sleep(0.05)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(scenario())


def test_the_watchdog_ends_with_its_body() -> None:
    async def scenario() -> None:
        assert await request(pausing(0, 2)).body.whole(100) == b"xx"
        await asyncio.sleep(3 * BODY_TIMEOUTS.idle_seconds)

    asyncio.run(scenario())


def test_the_limits_are_the_documented_ones() -> None:
    assert BodyTimeouts() == BodyTimeouts(idle_seconds=30, window_seconds=60, window_bytes=60 * 1024, check_seconds=5)
