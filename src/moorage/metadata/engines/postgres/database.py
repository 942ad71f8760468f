"""The PostgreSQL database, shared by all nodes: transactions in threads, and cached lookups.

    event loop ──read_cached()─> the current version of the data (`versions.py`) ── unchanged: the cached result
    event loop ──read()────────> a reader thread with a connection: BEGIN … READ ONLY, the work, COMMIT
    event loop ──write()───────> a writer thread with a connection: BEGIN … SERIALIZABLE, the work, COMMIT

Use cases are written as if they ran alone. Serializable isolation guarantees it: transactions that could not have run
one after the other are rolled back and run again. No node holds state that another node needs.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final, TypeVar

from moorage.domain.errors import Unavailable
from moorage.metadata.database import Lookup, Work, mark_retrieved
from moorage.metadata.engines.postgres.cache import LookupCache
from moorage.metadata.engines.postgres.connections import Connection
from moorage.metadata.engines.postgres.versions import VersionReader
from moorage.shares import SharedThreads, current

T = TypeVar("T")
D = TypeVar("D")
K = TypeVar("K")

_MAX_QUEUED: Final = 2000
"""Maximum number of waiting calls, half of them of one share; more would get their result too late."""


class PostgresDatabase:
    """One process's connections to PostgreSQL: half for reads, half for writes, and one for the current version."""

    def __init__(self, address: str, connections: int) -> None:
        self._address = address
        self._readers = _ConnectionPool(address, connections // 2, "database-reader")
        self._writers = _ConnectionPool(address, connections - connections // 2, "database-writer")
        self._versions = VersionReader(address)
        self._cache = LookupCache(self._versions, self._readers.run)

    async def read(self, work: Work[T]) -> T:
        """Run `work` on a snapshot, in a thread."""
        return await self._readers.run(lambda connection: connection.read(work))

    async def read_one(self, work: Work[T]) -> T:
        """`read` for work of a single statement, without a transaction around it."""
        return await self._readers.run(lambda connection: connection.read_one(work))

    async def decide_and_read_one(
        self, decide: Callable[[], Awaitable[D]], read: Callable[[D], Work[T]]
    ) -> tuple[D, T]:
        """See `Database.decide_and_read_one`. In the usual case, the read is the only statement."""
        assumed = await self._cache.assuming(decide)
        if assumed is not None:
            decision, assumption = assumed
            result, (_, revision) = await self._readers.run(
                lambda connection: connection.read_one_with_version(read(decision))
            )
            if assumption.is_confirmed_by(revision):
                return decision, result
        decision = await decide()
        return decision, await self.read_one(read(decision))

    def read_blocking(self, work: Work[T]) -> T:
        """`read` for callers without an event loop."""
        return self._readers.run_blocking(lambda connection: connection.read(work))

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[PostgresSnapshot]:
        """See `Database.snapshot`. Uses a connection of its own, so that other reads can continue."""
        connection = Connection(self._address)
        state = PostgresSnapshot(connection, self._readers)
        try:
            await state.begin()
            yield state
        finally:
            connection.close()

    async def read_cached(self, lookup: Lookup[T]) -> T:
        """`read`, or the cached result for the same key if no node has committed a relevant change since."""
        return await self._cache.read_cached(lookup)

    def access_version(self) -> bytes | None:
        """None: only the server knows the version."""
        return None

    async def write(self, work: Work[T]) -> T:
        """Run `work` in a transaction; returns after its commit has reached the server's disk.

        Raises Unavailable when the commit failed, or when its outcome is not known.
        """
        return await self.write_later(work)

    async def write_after(self, ready: Future[K], work: Callable[[K], Work[T]]) -> T:
        """See `Database.write_after`. The write waits for a thread of its own, with a connection."""
        return await self.write(work(await asyncio.wrap_future(ready)))

    def write_later(self, work: Work[T]) -> asyncio.Future[T]:
        """`write` for callers that do not wait; they handle the result of the future."""
        return self._writers.run(lambda connection: connection.write(work))

    async def is_reachable(self) -> bool:
        try:
            return bool(await self._versions.current())
        except Unavailable:
            return False

    def start(self) -> None:
        """Do nothing: connections are opened on first use."""

    def close(self) -> None:
        """Finish started work and close the connections."""
        self._writers.close()
        self._readers.close()
        self._versions.close()


class PostgresSnapshot:
    """A `Snapshot`: the read transaction of one connection. Any thread may use it, one at a time."""

    def __init__(self, connection: Connection, threads: _ConnectionPool) -> None:
        self._connection = connection
        self._threads = threads

    async def begin(self) -> None:
        await self._threads.run(lambda _: self._connection.begin_snapshot())

    async def read(self, work: Work[T]) -> T:
        return await self._threads.run(lambda _: self._connection.read_snapshot(work))


class _ConnectionPool:
    """A thread pool in which each thread has a connection."""

    def __init__(self, address: str, count: int, name: str) -> None:
        self._address = address
        self._local = threading.local()
        self._connections: list[Connection] = []
        self._threads = SharedThreads(count, name, initializer=self._open)
        self._waiting: Counter[str] = Counter()

    def run(self, work: Callable[[Connection], T]) -> asyncio.Future[T]:
        """Run `work` in the next free thread; it runs even if the caller stops waiting."""
        loop = asyncio.get_running_loop()
        share = current().name
        if self._waiting[share] >= _MAX_QUEUED // 2 or self._waiting.total() >= _MAX_QUEUED:
            raise Unavailable(reason="Too many requests are waiting for the database")
        self._waiting[share] += 1
        done = loop.run_in_executor(self._threads, lambda: work(self._local.connection))
        done.add_done_callback(partial(self._finished, share))
        shielded = asyncio.shield(done)
        shielded.add_done_callback(mark_retrieved)
        return shielded

    def run_blocking(self, work: Callable[[Connection], T]) -> T:
        """`run` for callers without an event loop."""
        return self._threads.submit(lambda: work(self._local.connection)).result()

    def close(self) -> None:
        """Finish waiting work and close the connections."""
        self._threads.shutdown()
        for connection in self._connections:
            connection.close()

    def _open(self) -> None:
        self._local.connection = Connection(self._address)
        self._connections.append(self._local.connection)

    def _finished(self, share: str, done: asyncio.Future[Any]) -> None:
        self._waiting[share] -= 1
        if not self._waiting[share]:
            del self._waiting[share]
        mark_retrieved(done)  # `shield` no longer does, once its own future is canceled.
