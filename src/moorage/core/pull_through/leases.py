"""Leases: of all processes, one fetches something from an upstream registry, and the others wait for it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from moorage.core.clock import Clock
from moorage.domain.errors import Unavailable
from moorage.domain.names import Registry
from moorage.domain.units import SECOND
from moorage.metadata.database import Database, Transaction
from moorage.metadata.pull_through import fetching
from moorage.metadata.pull_through.fetching import Fetching

_LEASE: Final = 12 * SECOND
_EXTEND_SECONDS: Final = 4.0

LOOK_AGAIN_SECONDS: Final = 0.1
"""How often a process looks whether another one has finished."""


class LeaseLost(Exception):
    """Another process has taken the work over, or its repository was deleted."""


def item_of(registry: Registry, name: str, reference: str) -> str:
    """The key of a fetch: a blob or a manifest of a repository, or a tag."""
    mark = "@" if ":" in reference else ":"
    return f"{registry.account}/{registry.region}/{name}{mark}{reference}"


class Leases:
    """Takes leases and keeps them while the work goes on."""

    def __init__(self, database: Database, now: Clock) -> None:
        self._database = database
        self._now = now

    def take(self, tx: Transaction, wanted: Fetching) -> Fetching | None:
        """Take the lease of an item; None if another process has it. The caller has ended what the last one left."""
        now = self._now()
        other = fetching.find(tx, wanted.item)
        if other is not None and other.lease_end > now:
            return None
        taken = Fetching(wanted.item, secrets.token_hex(16), now + _LEASE, wanted.upload, wanted.size)
        fetching.insert(tx, taken, now)
        return taken

    def is_over(self, other: Fetching) -> bool:
        return other.lease_end <= self._now()

    @asynccontextmanager
    async def kept(self, held: Fetching) -> AsyncIterator[None]:
        """Extend a lease while the block runs. Raises LeaseLost if it is lost meanwhile."""
        running = asyncio.current_task()
        assert running is not None  # noqa: S101 - for the type checker: this is a coroutine
        lost = False

        async def extend() -> None:
            nonlocal lost
            while not lost:
                await asyncio.sleep(_EXTEND_SECONDS)
                lost = not await self._extended(held)
            running.cancel()

        extending = asyncio.create_task(extend())
        try:
            yield
        except asyncio.CancelledError:
            if not lost:
                raise
            running.uncancel()
            raise LeaseLost(held.item) from None
        finally:
            extending.cancel()

    async def _extended(self, held: Fetching) -> bool:
        """Extend a lease; True also if the database does not answer now: the end of the work will tell."""
        lease_end = self._now() + _LEASE
        try:
            return await self._database.write(lambda tx: fetching.extend(tx, held, lease_end))
        except Unavailable:
            return True
