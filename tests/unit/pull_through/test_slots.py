"""Slots of fetches: who waits, who goes first, and what is left of waiters that leave."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import pytest

from moorage.core.pull_through.slots import FetchSlots
from moorage.domain.pull_through.upstream_errors import UpstreamUnavailable

ALL: Final = 16
OF_UPSTREAM: Final = 12
OF_CALLER: Final = 8
MOST_WAITING: Final = 1000


class Fetches:
    """Fetches that hold their slots until `end` is called."""

    def __init__(self, slots: FetchSlots) -> None:
        self.slots = slots
        self.holding: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self._ends: dict[str, asyncio.Event] = {}

    async def start(self, number: int, upstream: str, share: str) -> list[str]:
        """Start so many fetches; returns their names."""
        names = [f"{upstream} {share} {len(self.tasks) + each}" for each in range(number)]
        for name in names:
            self._ends[name] = asyncio.Event()
            self.tasks[name] = asyncio.create_task(self._fetch(name, upstream, share))
        await settled()
        return names

    async def _fetch(self, name: str, upstream: str, share: str) -> None:
        async with self.slots.taken(upstream, share):
            self.holding.append(name)
            try:
                await self._ends[name].wait()
            finally:
                self.holding.remove(name)

    async def end(self, name: str) -> None:
        self._ends[name].set()
        await self.tasks[name]
        await settled()

    async def cancel(self, *names: str) -> None:
        for name in names:
            self.tasks[name].cancel()
        await asyncio.wait([self.tasks[name] for name in names])
        await settled()

    async def stop(self) -> None:
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)


async def settled() -> None:
    """Let all tasks run until each of them waits."""
    for _ in range(5):
        await asyncio.sleep(0)


def with_fetches(test: Callable[[Fetches], Awaitable[None]], **options: float) -> None:
    async def run() -> None:
        fetches = Fetches(FetchSlots(wait_seconds=options.get("wait_seconds", 60.0)))
        try:
            await test(fetches)
        finally:
            await fetches.stop()

    asyncio.run(run())


def test_a_caller_has_half_of_the_slots_and_the_others_wait_in_order() -> None:
    async def test(fetches: Fetches) -> None:
        names = await fetches.start(OF_CALLER + 2, "quay.io", "ann")
        assert fetches.holding == names[:OF_CALLER]

        await fetches.end(names[0])
        assert fetches.holding == names[1 : OF_CALLER + 1]
        await fetches.end(names[1])
        assert fetches.holding == names[2:]

    with_fetches(test)


def test_an_upstream_registry_never_has_all_slots() -> None:
    async def test(fetches: Fetches) -> None:
        for share in ("ann", "bob", "cyd"):
            await fetches.start(OF_CALLER, "stalled.example", share)
        assert len(fetches.holding) == OF_UPSTREAM

        [other] = await fetches.start(1, "quay.io", "ann's colleague")

        assert other in fetches.holding

    with_fetches(test)


def test_all_upstream_registries_together_have_sixteen() -> None:
    async def test(fetches: Fetches) -> None:
        for number in range(4):
            await fetches.start(OF_CALLER - 2, f"{number}.example", f"caller {number}")

        assert len(fetches.holding) == ALL

    with_fetches(test)


def test_who_waits_for_the_own_share_does_not_hold_up_others() -> None:
    async def test(fetches: Fetches) -> None:
        await fetches.start(OF_CALLER + 5, "quay.io", "ann")
        [bob] = await fetches.start(1, "quay.io", "bob")

        assert bob in fetches.holding

    with_fetches(test)


def test_a_wait_that_is_too_long_is_refused_and_leaves_nothing() -> None:
    async def test(fetches: Fetches) -> None:
        names = await fetches.start(OF_CALLER, "quay.io", "ann")
        with pytest.raises(UpstreamUnavailable, match=r"Too much is being fetched from quay\.io\. Try again later"):
            async with fetches.slots.taken("quay.io", "ann"):
                pytest.fail("there is no slot")
        with pytest.raises(UpstreamUnavailable):
            async with fetches.slots.taken("quay.io", "ann", wait_seconds=0):
                pytest.fail("there is no slot")

        await fetches.end(names[0])
        [late] = await fetches.start(1, "quay.io", "ann")

        assert late in fetches.holding
        assert len(fetches.holding) == OF_CALLER

    with_fetches(test, wait_seconds=0.05)


def test_more_waiters_than_a_thousand_are_refused_at_once() -> None:
    async def test(fetches: Fetches) -> None:
        await fetches.start(OF_CALLER + MOST_WAITING, "quay.io", "ann")

        with pytest.raises(UpstreamUnavailable):
            async with fetches.slots.taken("ghcr.io", "bob"):
                pytest.fail("too many wait")

    with_fetches(test)


def test_cancelled_waiters_and_holders_give_back_what_they_had() -> None:
    async def test(fetches: Fetches) -> None:
        names = await fetches.start(OF_CALLER + 3, "quay.io", "ann")
        waiting = names[OF_CALLER:]

        await fetches.cancel(waiting[0], names[0])

        assert fetches.holding == [*names[1:OF_CALLER], waiting[1]]
        await fetches.cancel(*names[1:], *waiting[1:])
        again = await fetches.start(OF_CALLER + 1, "quay.io", "ann")
        assert fetches.holding == again[:OF_CALLER]

    with_fetches(test)


def test_a_waiter_that_is_cancelled_just_after_its_grant_gives_the_slot_back() -> None:
    async def test(fetches: Fetches) -> None:
        names = await fetches.start(OF_CALLER + 1, "quay.io", "ann")
        fetches.tasks[names[0]].cancel()
        await asyncio.sleep(0)
        assert not {names[0], names[-1]} & set(fetches.holding), "granted by now, but it has not run since"
        fetches.tasks[names[-1]].cancel()
        await settled()

        [next_one] = await fetches.start(1, "quay.io", "ann")

        assert next_one in fetches.holding
        assert len(fetches.holding) == OF_CALLER

    with_fetches(test)
