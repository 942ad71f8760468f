"""When access keys were last used: noted about once an hour for each, after the request and not on its way."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from moorage.core.clock import Clock
from moorage.domain.errors import Unavailable
from moorage.domain.units import HOUR
from moorage.metadata.database import Database
from moorage.metadata.identity import accounts as identities


class KeyUses:
    """What one process has noted. Another process may note the same use; the row then stays as it is."""

    def __init__(self, database: Database, now: Clock) -> None:
        self._database = database
        self._now = now
        self._noted: dict[str, int] = {}
        self._writing: set[asyncio.Task[None]] = set()

    def note(self, key: str) -> None:
        """Called for every request; nearly always a look into a dictionary."""
        now = self._now()
        if now - self._noted.get(key, -HOUR) < HOUR:
            return
        self._noted[key] = now
        task = asyncio.get_running_loop().create_task(self._write(key, now))
        self._writing.add(task)  # The loop itself holds tasks weakly.
        task.add_done_callback(self._writing.discard)

    async def _write(self, key: str, now: int) -> None:
        with suppress(Unavailable):  # A full disk is told to those whose changes it refuses.
            await self._database.write(lambda tx: identities.record_key_use(tx, key, now, unless_since=now - HOUR))
