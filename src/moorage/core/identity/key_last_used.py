"""Record when access keys were last used: at most once an hour for each key, after the request was answered."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from moorage.core.clock import Clock
from moorage.domain.errors import Unavailable
from moorage.domain.units import HOUR
from moorage.metadata.database import Database
from moorage.metadata.identity import accounts as identities

_MOST_RECORDED = 8192
"""Keys whose last use a process remembers; it records the next use of a forgotten one again."""


class KeyLastUsed:
    """The uses that one process has recorded. If another process recorded the same hour, the row does not change."""

    def __init__(self, database: Database, now: Clock) -> None:
        self._database = database
        self._now = now
        self._recorded: dict[str, int] = {}
        self._writing: set[asyncio.Task[None]] = set()

    def record(self, key: str) -> None:
        """Record a use. Called for every request, and almost always only a dictionary lookup."""
        now = self._now()
        if now - self._recorded.get(key, -HOUR) < HOUR:
            return
        if len(self._recorded) >= _MOST_RECORDED:  # Also of keys that no longer exist.
            self._recorded.clear()
        self._recorded[key] = now
        task = asyncio.get_running_loop().create_task(self._write(key, now))
        self._writing.add(task)  # The event loop keeps only weak references to tasks.
        task.add_done_callback(self._writing.discard)

    async def _write(self, key: str, now: int) -> None:
        with suppress(Unavailable):  # For example, a full disk: requests that change something report it.
            await self._database.write(lambda tx: identities.record_key_use(tx, key, now, unless_since=now - HOUR))
