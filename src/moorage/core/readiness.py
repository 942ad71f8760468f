"""Whether to send a process requests (`/readyz`): docs/decisions/0022-readiness.md says what is asked, and what not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from moorage.domain.errors import Unavailable
from moorage.metadata.database import Database
from moorage.telemetry import Log

_STORE_SECONDS: Final = 2.0
"""How long the store may take: who asks waits for seconds only, and asks again."""


class Readiness:
    """The database answers now, and the store has answered once since the start. Each new reason why not is logged."""

    def __init__(self, database: Database, check_store: Callable[[], Awaitable[None]], log: Log) -> None:
        self._database = database
        self._check_store = check_store
        self._log = log
        self._store_answered = False
        self._reason = ""

    async def is_given(self) -> bool:
        """Whether requests would be served."""
        reason = await self._wrong()
        if reason not in {"", self._reason}:
            self._log.event("not-ready", reason=reason)
        self._reason = reason
        return not reason

    async def _wrong(self) -> str:
        if not await self._database.is_reachable():
            return "The database does not answer"
        if not self._store_answered:
            try:
                async with asyncio.timeout(_STORE_SECONDS):
                    await self._check_store()
            except TimeoutError:
                return "The store does not answer"
            except Unavailable as error:
                return str(error)
            self._store_answered = True
        return ""
