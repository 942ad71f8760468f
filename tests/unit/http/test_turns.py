"""Turns of requests: no caller takes all of a worker process, whether with many requests or with long ones."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections import Counter

import pytest

from moorage.http.shares import active_shares
from moorage.http.shares.active_shares import ActiveShares
from moorage.http.shares.turns import LONG_STEP, Turn, Turns


async def taken(turns: Turns, share: str) -> Turn:
    return turns.at_once(share) or await turns.wait(share)


def served(seconds: float, **connections: int) -> Counter[str]:
    """How many requests each caller got, with so many connections that send one request after another."""
    counts: Counter[str] = Counter()

    async def scenario() -> None:
        turns = Turns(ActiveShares())

        async def client(share: str) -> None:
            while True:
                turn = await taken(turns, share)
                counts[share] += 1
                turn.end()
                await asyncio.sleep(0)

        clients = [asyncio.ensure_future(client(share)) for share, count in connections.items() for _ in range(count)]
        await asyncio.sleep(seconds)
        for each in clients:
            each.cancel()
        await asyncio.wait(clients)

    asyncio.run(scenario())
    return counts


def test_a_caller_with_few_connections_gets_its_share_beside_one_with_many() -> None:
    counts = served(0.5, small=4, large=256)

    assert counts["small"] > 0.4 * counts.total(), counts
    assert counts["large"] > 0.2 * counts.total(), counts


def test_one_caller_alone_never_waits() -> None:
    async def scenario() -> None:
        turns = Turns(ActiveShares())
        held = [await asyncio.wait_for(taken(turns, "alone"), 60) for _ in range(1_000)]
        for turn in held:
            turn.end()

    asyncio.run(scenario())


def test_a_caller_in_whose_turns_nothing_moves_holds_up_no_other() -> None:
    async def scenario() -> None:
        turns = Turns(ActiveShares())
        stuck = [asyncio.ensure_future(taken(turns, "stuck")) for _ in range(100)]
        await asyncio.sleep(0)
        for _ in range(100):
            (await asyncio.wait_for(taken(turns, "other"), 60)).end()
        assert not all(each.done() for each in [asyncio.ensure_future(taken(turns, "stuck"))])
        for each in stuck:
            each.cancel()

    asyncio.run(scenario())


def test_a_request_that_is_cancelled_gives_its_turn_back() -> None:
    async def scenario() -> None:
        turns = Turns(ActiveShares())
        (await taken(turns, "other")).end()
        for _ in range(200):
            waiting = asyncio.ensure_future(taken(turns, "cancelled"))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.wait([waiting])
        (await asyncio.wait_for(taken(turns, "cancelled"), 60)).end()

    asyncio.run(scenario())


def note(active: ActiveShares) -> None:
    active.has_others("the same")


def test_a_share_is_the_same_one_in_processes_that_are_not_forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS: they hash texts differently."""
    monkeypatch.setattr(active_shares, "_RECENT_SECONDS", 60)
    active = ActiveShares()
    for _ in range(2):
        other = multiprocessing.get_context("spawn").Process(target=note, args=(active,))
        other.start()
        other.join()
        assert other.exitcode == 0

    assert not active.has_others("the same")
    assert active.has_others("another")


def test_requests_that_take_next_to_nothing_make_nobody_share() -> None:
    active = ActiveShares()
    active.has_others("a health checker", takes_much=False)

    assert not active.has_others("a caller")
    assert active.has_others("a health checker", takes_much=False)


LONG_REQUEST = 0.02


async def long_request() -> None:
    """Hold the event loop."""
    await asyncio.sleep(0)
    until = time.thread_time() + LONG_REQUEST
    while time.thread_time() < until:
        pass


def test_long_requests_of_a_caller_take_a_small_part_of_the_time_beside_another() -> None:
    held = 0.0

    async def scenario() -> None:
        turns = Turns(ActiveShares())

        async def client(share: str) -> None:
            nonlocal held
            while True:
                turn = await taken(turns, share)
                if share == "long":
                    await turn.run(long_request())
                    held += LONG_REQUEST
                turn.end()
                await asyncio.sleep(0.001)

        clients = [asyncio.ensure_future(client(share)) for share in ["short", *["long"] * 8]]
        await asyncio.sleep(2)
        for each in clients:
            each.cancel()
        await asyncio.wait(clients)

    started = time.perf_counter()
    asyncio.run(scenario())
    assert held / (time.perf_counter() - started) < 0.4


def test_long_requests_of_a_caller_alone_follow_one_another_at_once() -> None:
    async def scenario() -> None:
        turns = Turns(ActiveShares())
        for _ in range(5):
            async with asyncio.timeout(0):  # Ends the test at the first wait.
                turn = await taken(turns, "alone")
            await turn.run(long_request())
            turn.end()

    asyncio.run(scenario())


def test_the_work_of_a_turn_sees_results_errors_and_cancellation() -> None:
    async def fails() -> None:
        await asyncio.sleep(0)
        raise KeyError("absent")

    async def returns() -> int:
        await asyncio.sleep(0)
        return 7

    async def scenario() -> None:
        turns = Turns(ActiveShares())
        (await taken(turns, "other")).end()
        turn = await taken(turns, "measured")
        assert await turn.run(returns()) == 7
        with pytest.raises(KeyError, match="absent"):
            await turn.run(fails())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(LONG_STEP):
                await turn.run(asyncio.sleep(60))

    asyncio.run(scenario())
