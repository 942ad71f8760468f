"""The gate of a lab: requests pass it, and a change of the whole registry waits until none is in progress."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

_IN_PROGRESS_SECONDS: Final = 5.0


class RequestsInProgress(Exception):
    """Requests did not end in time, so the change was not made."""


class Gate:
    """Counts the requests in progress. While it is closed, new requests wait."""

    def __init__(self) -> None:
        self._inside = 0
        self._open = asyncio.Event()
        self._open.set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._changing = asyncio.Lock()

    @asynccontextmanager
    async def passed(self) -> AsyncIterator[None]:
        """A request in progress."""
        while not self._open.is_set():
            await self._open.wait()
        self._inside += 1
        self._empty.clear()
        try:
            yield
        finally:
            self._inside -= 1
            if not self._inside:
                self._empty.set()

    @asynccontextmanager
    async def closed(self) -> AsyncIterator[None]:
        """No request is in progress. Raises RequestsInProgress."""
        async with self._changing:
            self._open.clear()
            try:
                await self._emptied()
                yield
            finally:
                self._open.set()

    async def _emptied(self) -> None:
        try:
            async with asyncio.timeout(_IN_PROGRESS_SECONDS):
                await self._empty.wait()
        except TimeoutError:
            raise RequestsInProgress(f"requests are still in progress after {_IN_PROGRESS_SECONDS:.0f} s") from None
