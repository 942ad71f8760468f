"""PostgreSQL as the database of any number of nodes: transactions in threads, and look-ups that are remembered.

    event loop ──recall()─> which snapshot is it now? (postgres_snapshots.py) ── the same as before: what is remembered
    event loop ──read()───> a thread with a connection: BEGIN … READ ONLY, the work, COMMIT
    event loop ──write()──> one of other threads, likewise: BEGIN … SERIALIZABLE, the work, COMMIT; again in a conflict

Use cases are written as if nobody else were there, and serializable transactions make that true: what could not have
been done one after the other is undone and done again. No node holds anything that another one needs.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

from moorage.domain.errors import Unavailable
from moorage.metadata.database import CachedUntil, Work, is_there
from moorage.metadata.engines.postgres.cache import Memory
from moorage.metadata.engines.postgres.connections import Connection
from moorage.metadata.engines.postgres.snapshots import Snapshots

T = TypeVar("T")

_QUEUE: Final = 2000
"""Pieces of work that wait for a connection at most: more would only be answered too late."""


class PostgresDatabase:
    """One process's connections to PostgreSQL: half of them to read by, half to write by, and one more to ask by."""

    def __init__(self, address: str, connections: int) -> None:
        self._address = address
        self._readers = _Connections(address, connections // 2, "database-reader")
        self._writers = _Connections(address, connections - connections // 2, "database-writer")
        self._snapshots = Snapshots(address)
        self._memory = Memory(self._snapshots, self._readers.run)

    async def read(self, work: Work[T]) -> T:
        """Run `work` on a snapshot, in a thread."""
        return await self._readers.run(lambda connection: connection.read(work))

    async def read_one(self, work: Work[T]) -> T:
        """`read` for work of one statement, without a transaction around it."""
        return await self._readers.run(lambda connection: connection.read_one(work))

    def read_blocking(self, work: Work[T]) -> T:
        """`read` for callers that are not on an event loop."""
        return self._readers.transact(lambda connection: connection.read(work))

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[PostgresSnapshot]:
        """On a connection of its own, since the others go on."""
        connection = Connection(self._address)
        state = PostgresSnapshot(connection, self._readers)
        try:
            await state.begin()
            yield state
        finally:
            connection.close()

    async def read_cached(
        self,
        key: Hashable,
        work: Work[T],
        *,
        keep: Callable[[T], bool] = is_there,
        until: CachedUntil = CachedUntil.ANY_CHANGE,
    ) -> T:
        """`read`, or what it gave for the same `key` if nothing that matters was committed since, by any node."""
        return await self._memory.read_cached(key, work, keep, until)

    async def write(self, work: Work[T]) -> T:
        """Run `work` in a transaction; returns after its commit has reached the server's disk.

        Raises Unavailable when the commit did not happen, and when nobody knows whether it did.
        """
        return await self.write_later(work)

    def write_later(self, work: Work[T]) -> asyncio.Future[T]:
        """`write` for callers that do not wait; what the future holds is theirs to look at."""
        return self._writers.run(lambda connection: connection.write(work))

    async def is_reachable(self) -> bool:
        try:
            return bool(await self._snapshots.current())
        except Unavailable:
            return False

    def start(self) -> None:
        """Connections are opened when they are needed."""

    def close(self) -> None:
        """Finish what is begun and close the connections."""
        self._writers.close()
        self._readers.close()
        self._snapshots.close()


class PostgresSnapshot:
    """A `Snapshot`: the read transaction of one connection, on which any thread may work, one at a time."""

    def __init__(self, connection: Connection, threads: _Connections) -> None:
        self._connection = connection
        self._threads = threads

    async def begin(self) -> None:
        await self._threads.run(lambda _: self._connection.hold())

    async def read(self, work: Work[T]) -> T:
        return await self._threads.run(lambda _: self._connection.read_blocking(work))


class _Connections:
    """Threads that have a connection each."""

    def __init__(self, address: str, count: int, name: str) -> None:
        self._address = address
        self._own = threading.local()
        self._lanes: list[Connection] = []
        self._threads = ThreadPoolExecutor(count, name, initializer=self._open)
        self._waiting = 0

    def run(self, work: Callable[[Connection], T]) -> asyncio.Future[T]:
        """Do `work` in the next thread that is free; it is done even if nobody waits for it any more."""
        loop = asyncio.get_running_loop()
        if self._waiting >= _QUEUE:
            raise Unavailable(reason="Too many requests wait for the database")
        self._waiting += 1
        done = loop.run_in_executor(self._threads, lambda: work(self._own.connection))
        done.add_done_callback(self._ended)
        return asyncio.shield(done)

    def transact(self, work: Callable[[Connection], T]) -> T:
        """`run` for callers that are not on an event loop."""
        return self._threads.submit(lambda: work(self._own.connection)).result()

    def close(self) -> None:
        """Finish what waits, and close the connections."""
        self._threads.shutdown()
        for connection in self._lanes:
            connection.close()

    def _open(self) -> None:
        self._own.connection = Connection(self._address)
        self._lanes.append(self._own.connection)

    def _ended(self, _done: asyncio.Future[Any]) -> None:
        self._waiting -= 1
