"""Readiness of a process for requests (`/readyz`). docs/decisions/0022-readiness.md explains what it checks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from moorage.core.own_store import ForeignStore
from moorage.domain.errors import Unavailable
from moorage.domain.ports import StoreFull
from moorage.metadata.database import Database, mark_retrieved
from moorage.telemetry import Log

STORE_SECONDS: Final = 2.0
"""The time limit of each check of a store or disk. Load balancers wait only for seconds, and ask again."""


class Readiness:
    """Ready when the database answers now and the blob store has answered once. Each new reason against is logged.

    A process that is not ready for writing, because a disk is full or read-only, serves everything else.
    """

    def __init__(
        self,
        database: Database,
        check_store: Callable[[], Awaitable[None]],
        obstacle_to_writing: Callable[[], Awaitable[str]],
        log: Log,
    ) -> None:
        self._database = database
        self._check_store = check_store
        self._obstacle_to_writing = obstacle_to_writing
        self._log = log
        self._store_answered = False
        self._reason = ""
        self._attempt: asyncio.Future[str] | None = None

    async def is_ready(self, *, for_writing: bool = False) -> bool:
        """Whether the process can serve requests, with `for_writing` also pushes."""
        if not await self._is_ready():
            return False
        return not for_writing or await self._can_write()

    async def _can_write(self) -> bool:
        """Whether an attempt to write succeeds. All requests wait for the same one.

        A disk that does not respond keeps a thread, and anybody can send requests: without this rule, they would take
        all threads of the process.
        """
        if self._attempt is None or self._attempt.done():
            self._attempt = asyncio.ensure_future(self._obstacle_to_writing())
            self._attempt.add_done_callback(mark_retrieved)
        try:
            async with asyncio.timeout(STORE_SECONDS):
                reason = await asyncio.shield(self._attempt)
        except TimeoutError:
            reason = "The disk or the database does not respond"
        except Unavailable as error:
            reason = str(error)
        if reason:
            self._log.event_once("not-ready-for-writing", reason=reason)
        return not reason

    async def _is_ready(self) -> bool:
        reason = await self._obstacle()
        if reason not in {"", self._reason}:
            self._log.event("not-ready", reason=reason)
        self._reason = reason
        return not reason

    async def _obstacle(self) -> str:
        """The reason why the process is not ready, or an empty string."""
        if not await self._database.is_reachable():
            return "The database does not answer"
        if not self._store_answered:
            try:
                async with asyncio.timeout(STORE_SECONDS):
                    await self._check_store()
            except TimeoutError:
                return "The blob store does not answer"
            except (ForeignStore, OSError, StoreFull, Unavailable) as error:
                return str(error)
            self._store_answered = True
        return ""
