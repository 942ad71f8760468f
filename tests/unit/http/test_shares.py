"""Shares of a worker process: turns of requests, memory for bodies, and failed logins."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack

import pytest

from moorage.domain.errors import Unavailable
from moorage.http.bodies import RequestBody
from moorage.http.body_budget import BodyBudget
from moorage.http.messages import Request, RequestHead
from moorage.http.shares import KnownCredentials, Turns
from tests.unit.http.connection import NoBody

MIB = 1 << 20


def head(authorization: str | None = None, client: str = "192.0.2.1") -> RequestHead:
    lines = [(b"host", b"r")]
    if authorization is not None:
        lines.append((b"authorization", authorization.encode()))
    made = RequestHead("GET", b"/v2/", lines)
    made.client = client
    return made


def signature(key: str, signed: str) -> str:
    return f"AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/ecr/aws4_request, Signature={signed}"


# --- Whose share a request takes --------------------------------------------------------------------------------------


def test_a_caller_has_a_share_of_its_own_once_it_has_authenticated() -> None:
    known = KnownCredentials()
    assert known.share_of(head("Basic abc")) == "192.0.2.1"

    known.succeeded(head("Basic abc"), "arn:alice")

    assert known.share_of(head("Basic abc")) == "arn:alice"
    assert known.share_of(head("Basic other")) == "192.0.2.1"


def test_signatures_with_one_access_key_share() -> None:
    known = KnownCredentials()
    known.succeeded(head(signature("AKIA1", "1111")), "AKIA1")

    assert known.share_of(head(signature("AKIA1", "2222"))) == "AKIA1"


def test_an_access_key_id_takes_no_share_from_another_address() -> None:
    """Ids are no secrets; the signature is checked after the body."""
    known = KnownCredentials()
    known.succeeded(head(signature("AKIA1", "1111")), "AKIA1")

    assert known.share_of(head(signature("AKIA1", "2222"), client="198.51.100.9")) == "198.51.100.9"


def test_after_many_failed_logins_an_address_may_use_only_known_credentials() -> None:
    async def scenario() -> None:
        known = KnownCredentials(max_failures=100)
        known.succeeded(head("Basic good"), "arn:alice")
        for number in range(100):
            guess = head(f"Basic {number}")
            assert known.may_try(guess, known.share_of(guess))
            known.failed(guess)

        for authorization, may_try in (("Basic guess", False), ("Basic good", True), (None, True)):
            request = head(authorization)
            assert known.may_try(request, known.share_of(request)) is may_try
        other = head("Basic guess", client="198.51.100.9")
        assert known.may_try(other, known.share_of(other))

    asyncio.run(scenario())


# --- Turns ------------------------------------------------------------------------------------------------------------


def served(seconds: float, **connections: int) -> Counter[str]:
    """How many requests each caller got, with so many connections that send one request after another."""
    counts: Counter[str] = Counter()

    async def scenario() -> None:
        turns = Turns()

        async def client(share: str) -> None:
            while True:
                turn = await turns.take(share)
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
        turns = Turns()
        held = [await asyncio.wait_for(turns.take("alone"), 1) for _ in range(1_000)]
        for turn in held:
            turn.end()

    asyncio.run(scenario())


def test_a_caller_in_whose_turns_nothing_moves_holds_up_no_other() -> None:
    async def scenario() -> None:
        turns = Turns()
        stuck = [asyncio.ensure_future(turns.take("stuck")) for _ in range(100)]
        await asyncio.sleep(0)
        for _ in range(100):
            (await asyncio.wait_for(turns.take("other"), 1)).end()
        assert not all(each.done() for each in [asyncio.ensure_future(turns.take("stuck"))])
        for each in stuck:
            each.cancel()

    asyncio.run(scenario())


def test_a_request_that_is_cancelled_gives_its_turn_back() -> None:
    async def scenario() -> None:
        turns = Turns()
        (await turns.take("other")).end()
        for _ in range(200):
            waiting = asyncio.ensure_future(turns.take("cancelled"))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.wait([waiting])
        (await asyncio.wait_for(turns.take("cancelled"), 1)).end()

    asyncio.run(scenario())


# --- Memory for bodies ------------------------------------------------------------------------------------------------


def request(share: str, size: int | None) -> Request:
    return Request(head(), RequestBody(NoBody(), size), "request-1", share)


def test_a_caller_holds_at_most_half_of_the_memory() -> None:
    async def scenario() -> None:
        budget = BodyBudget(total=8 * MIB, wait_seconds=0.05)
        async with AsyncExitStack() as stack:
            for _ in range(2):
                await stack.enter_async_context(budget.reserve(request("slow", MIB), 4 * MIB))
            with pytest.raises(Unavailable):
                await stack.enter_async_context(budget.reserve(request("slow", MIB), 4 * MIB))
            async with asyncio.timeout(1), budget.reserve(request("other", 2 * MIB), 4 * MIB):
                pass

    asyncio.run(scenario())


def test_a_chunked_body_counts_with_the_size_it_may_have() -> None:
    async def scenario() -> None:
        budget = BodyBudget(total=8 * MIB, wait_seconds=0.05)
        async with budget.reserve(request("one", None), 2 * MIB):
            with pytest.raises(Unavailable):
                async with budget.reserve(request("one", 1), 2 * MIB):
                    pass

    asyncio.run(scenario())


def test_those_who_wait_get_the_memory_in_their_order() -> None:
    async def scenario() -> list[int]:
        budget = BodyBudget(total=8 * MIB)
        order = []

        async def use(number: int) -> None:
            async with budget.reserve(request(f"caller {number}", 2 * MIB), 4 * MIB):
                order.append(number)
                await asyncio.sleep(0.01)

        await asyncio.gather(*(use(number) for number in range(10)))
        return order

    assert asyncio.run(scenario()) == list(range(10))


def test_a_request_that_ends_while_it_waits_gives_everything_back() -> None:
    async def scenario() -> None:
        budget = BodyBudget(total=8 * MIB)
        async with budget.reserve(request("one", 2 * MIB), 4 * MIB):
            waiting = asyncio.ensure_future(budget.reserve(request("one", MIB), 4 * MIB).__aenter__())
            await asyncio.sleep(0.01)
            waiting.cancel()
            await asyncio.wait([waiting])
        async with asyncio.timeout(1), budget.reserve(request("one", 2 * MIB), 4 * MIB):
            pass

    asyncio.run(scenario())
