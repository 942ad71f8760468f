"""Shares of a worker process: memory for bodies, and failed logins."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from moorage.domain.errors import Unavailable
from moorage.http.bodies import RequestBody
from moorage.http.messages import Request, RequestHead
from moorage.http.shares.body_budget import BodyBudget
from moorage.http.shares.known_credentials import KnownCredentials
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


# --- Memory for bodies ------------------------------------------------------------------------------------------------


def request(share: str, size: int | None, client: str = "192.0.2.1") -> Request:
    return Request(head(client=client), RequestBody(NoBody(), size), "request-1", share)


def test_a_caller_holds_at_most_half_of_the_memory() -> None:
    async def scenario() -> None:
        budget = BodyBudget(total=8 * MIB, wait_seconds=0.05)
        async with AsyncExitStack() as stack:
            for _ in range(2):
                await stack.enter_async_context(budget.reserve(request("slow", MIB), 4 * MIB))
            with pytest.raises(Unavailable):
                await stack.enter_async_context(budget.reserve(request("slow", MIB), 4 * MIB))
            async with asyncio.timeout(60), budget.reserve(request("other", MIB), 4 * MIB):
                pass

    asyncio.run(scenario())


def test_the_shares_of_an_address_leave_memory_for_other_addresses() -> None:
    """Slow requests of a caller count for its address until one of its requests has been answered."""

    async def scenario() -> None:
        budget = BodyBudget(total=16 * MIB, wait_seconds=0.05)
        async with AsyncExitStack() as stack:
            for share in ("192.0.2.1", "192.0.2.1", "slow"):
                await stack.enter_async_context(budget.reserve(request(share, 2 * MIB), 4 * MIB))
            with pytest.raises(Unavailable):
                await stack.enter_async_context(budget.reserve(request("slow", MIB), 4 * MIB))
            async with asyncio.timeout(60), budget.reserve(request("other", 2 * MIB, "198.51.100.9"), 4 * MIB):
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
        async with asyncio.timeout(60), budget.reserve(request("one", 2 * MIB), 4 * MIB):
            pass

    asyncio.run(scenario())
