"""Slots: how many streams a destination gets at once, over all worker processes and nodes."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from moorage.core.clock import Clock
from moorage.core.replication.destinations import Busy
from moorage.domain.units import SECOND
from moorage.metadata.database import Database, Transaction
from moorage.metadata.replication import destinations
from moorage.metadata.replication.destinations import Destination

_HELD: Final = 45 * SECOND
_RENEW_SECONDS: Final = 15.0


class Slots:
    """Takes slots of destinations. A slot is leased, so a process that ends does not keep it."""

    def __init__(self, database: Database, now: Clock) -> None:
        self._database = database
        self._now = now

    @asynccontextmanager
    async def taken(self, destination: Destination) -> AsyncIterator[None]:
        """Hold a slot. Raises Busy if there is none."""
        holder = secrets.token_hex(8)

        def take(tx: Transaction) -> int | None:
            now = self._now()
            return destinations.take_slot(tx, destination, holder, now, now + _HELD)

        if await self._database.write(take) is None:
            raise Busy
        keeping = asyncio.create_task(self._keep(holder))
        try:
            yield
        finally:
            keeping.cancel()
            await self._database.write(partial(destinations.keep_slots, holder=holder, lease_end=0))

    async def _keep(self, holder: str) -> None:
        while True:
            await asyncio.sleep(_RENEW_SECONDS)
            lease_end = self._now() + _HELD
            await self._database.write(partial(destinations.keep_slots, holder=holder, lease_end=lease_end))
