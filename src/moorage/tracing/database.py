"""A span for each transaction of a request, named after its use case."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar

from opentelemetry.context import get_current
from opentelemetry.trace import SpanKind, Tracer, get_current_span

from moorage.metadata.database import Database, Lookup, Snapshot, Transaction, Work

T = TypeVar("T")
D = TypeVar("D")
K = TypeVar("K")

_ATTEMPT: Final = "moorage.attempt"


class TracedDatabase:
    """A `Database` that traces another one.

    There is no span for a lookup that is answered from the cache, or for work outside of a traced request. A use case
    that runs again, after a conflict with another transaction, has a span for each attempt.
    """

    def __init__(self, database: Database, tracer: Tracer) -> None:
        self._database = database
        self._tracer = tracer

    async def read(self, work: Work[T]) -> T:
        return await self._database.read(self._traced(work))

    async def read_one(self, work: Work[T]) -> T:
        return await self._database.read_one(self._traced(work))

    async def decide_and_read_one(
        self, decide: Callable[[], Awaitable[D]], read: Callable[[D], Work[T]]
    ) -> tuple[D, T]:
        return await self._database.decide_and_read_one(decide, lambda decision: self._traced(read(decision)))

    def read_blocking(self, work: Work[T]) -> T:
        return self._database.read_blocking(self._traced(work))

    def snapshot(self) -> AbstractAsyncContextManager[Snapshot]:
        return self._database.snapshot()

    async def read_cached(self, lookup: Lookup[T]) -> T:
        return await self._database.read_cached(replace(lookup, work=self._traced(lookup.work)))

    def access_version(self) -> bytes | None:
        return self._database.access_version()

    async def write(self, work: Work[T]) -> T:
        if not get_current_span().is_recording():
            return await self._database.write(work)
        with self._tracer.start_as_current_span(f"commit {name_of(work)}", kind=SpanKind.CLIENT):
            return await self._database.write(self._traced(work))

    async def write_after(self, ready: Future[K], work: Callable[[K], Work[T]]) -> T:
        return await self._database.write_after(ready, lambda result: self._traced(work(result)))

    def write_later(self, work: Work[T]) -> asyncio.Future[T]:
        return self._database.write_later(self._traced(work))

    async def is_reachable(self) -> bool:
        return await self._database.is_reachable()

    def start(self) -> None:
        self._database.start()

    def close(self) -> None:
        self._database.close()

    def _traced(self, work: Work[T]) -> Work[T]:
        """`work` with a span of its own, also if it runs in another thread."""
        if not get_current_span().is_recording():
            return work
        parent, name = get_current(), name_of(work)
        attempt = 0

        def traced(tx: Transaction) -> T:
            nonlocal attempt
            attempt += 1
            with self._tracer.start_as_current_span(name, parent, attributes={_ATTEMPT: attempt}):
                return work(tx)

        return traced


def name_of(work: Callable[..., object]) -> str:
    """The module and the name of the function behind `work`, for the name of a span."""
    while isinstance(work, partial):
        work = work.func
    function = getattr(work, "__func__", work)
    module, name = getattr(function, "__module__", ""), getattr(function, "__qualname__", type(work).__qualname__)
    return f"{module.removeprefix('moorage.')}.{name.partition('.<locals>')[0]}"
