"""The SQLite database, through apsw: reads run on the event loop, and one thread writes in batches that share an fsync.

    event loop ──read()──> reader connection (WAL snapshot, a few microseconds, no thread switch)
    event loop ──write()─> queue ─> writer thread: BEGIN IMMEDIATE, one SAVEPOINT per request, COMMIT, then all results

Several worker processes open the same file; each has two connections. Writers of different processes wait for a lock
on a file (`writers_lock.py`), because SQLite's own waiting is a loop of sleeps.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future
from contextlib import ExitStack, asynccontextmanager, closing, suppress
from functools import partial
from pathlib import Path
from typing import Final, TypeVar, cast

import apsw

from moorage.domain.errors import Unavailable
from moorage.metadata.database import CachedUntil, DatabaseUnusable, Lookup, Transaction, Work
from moorage.metadata.engines.result_cache import MISSING, ResultCache
from moorage.metadata.engines.sqlite.batches import QueuedWrite, refuse
from moorage.metadata.engines.sqlite.connections import (
    SqliteSnapshot,
    SqliteTransaction,
    connect,
    generation_of,
    require_safe_sqlite,
)
from moorage.metadata.engines.sqlite.failures import MEDIUM_FAILURES, translated
from moorage.metadata.engines.sqlite.generation import Generation
from moorage.metadata.engines.sqlite.writer import Writer, open_writer
from moorage.metadata.engines.sqlite.writers_lock import LOCK_SECONDS, LockWatch
from moorage.shares import WorkQueue

T = TypeVar("T")
D = TypeVar("D")
K = TypeVar("K")

_JOIN_SECONDS: Final = 1.0


class SqliteDatabase:
    """One process's connections to the database file."""

    def __init__(self, path: Path, lock_seconds: float = LOCK_SECONDS) -> None:
        require_safe_sqlite()
        self._path = path
        self._lock_seconds = lock_seconds
        self._opened: _Reader | None = None
        self._cached = {until: ResultCache() for until in CachedUntil}
        self._queue: WorkQueue[QueuedWrite] = WorkQueue()
        self._thread: threading.Thread | None = None
        self._watch: LockWatch | None = None
        with suppress(
            Unavailable
        ):  # A process that starts while the disk does not work refuses requests, as others do.
            self._reader()

    async def read(self, work: Work[T]) -> T:
        """Run `work` on a snapshot, on the event loop: point lookups cost less than a switch to a thread."""
        return self.read_blocking(work)

    async def read_one(self, work: Work[T]) -> T:
        """`read` for work of a single statement."""
        reader = self._opened or self._reader()
        try:
            return work(reader.transaction)
        except MEDIUM_FAILURES as error:
            raise translated(error) from error

    async def decide_and_read_one(
        self, decide: Callable[[], Awaitable[D]], read: Callable[[D], Work[T]]
    ) -> tuple[D, T]:
        """One after the other: the version of the data costs nothing here."""
        decision = await decide()
        return decision, await self.read_one(read(decision))

    def read_blocking(self, work: Work[T]) -> T:
        """`read` for callers without an event loop."""
        reader = self._opened or self._reader()
        try:
            reader.connection.execute("BEGIN")
            try:
                return work(reader.transaction)
            finally:
                if reader.connection.in_transaction:  # After some failures, SQLite has ended it already.
                    reader.connection.execute("COMMIT")
        except MEDIUM_FAILURES as error:
            raise translated(error) from error

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[SqliteSnapshot]:
        """See `Database.snapshot`. Uses a connection of its own, because other reads need newer states."""
        with closing(_open(self._path)) as reader:
            reader.connection.execute("BEGIN")
            yield SqliteSnapshot(reader.connection)

    async def read_cached(self, lookup: Lookup[T]) -> T:
        """`read`, or the cached result for the same key if no process has committed a relevant change since."""
        generation = (self._opened or self._reader()).generation
        number = generation.read(lookup.until)
        cached = self._cached[lookup.until]
        if number != cached.version:
            cached.set_version(number)
        else:
            known: T = cached.results.get(lookup.key, MISSING)
            if known is not MISSING:
                return known
        result = self.read_blocking(lookup.work)
        if lookup.keep(result) and generation.is_settled(number):
            cached.add(lookup.key, result, lookup.size(result))
        return result

    def access_version(self) -> bytes | None:
        """The number that changes with each commit that changes access data; None while such a commit is made."""
        generation = (self._opened or self._reader()).generation
        number = generation.read(CachedUntil.ACCESS_CHANGE)
        return number if generation.is_settled(number) else None

    async def write(self, work: Work[T]) -> T:
        """Run `work` in the writer's next transaction; returns after its commit has reached the disk.

        An exception from `work` rolls back its own changes only. Raises Unavailable when the disk is full or does not
        work, and when another process has locked the database for too long; then `work` does not run later.
        """
        return await self.write_later(work)

    async def write_after(self, ready: Future[K], work: Callable[[K], Work[T]]) -> T:
        """See `Database.write_after`. The thread that has the result queues the write, without the event loop."""
        write = QueuedWrite(_nothing, asyncio.get_running_loop())

        def queue_write(done: Future[K]) -> None:
            try:
                write.work = work(done.result())
            except BaseException as error:  # noqa: BLE001 - the future passes it on
                refuse([write], error)
            else:
                self._queue.put(write)

        ready.add_done_callback(queue_write)
        return cast("T", await write.future)

    def write_later(self, work: Work[T]) -> asyncio.Future[T]:
        """`write` for callers that do not wait; they handle the result of the future."""
        write = QueuedWrite(work, asyncio.get_running_loop())
        self._queue.put(write)
        return write.future

    async def is_reachable(self) -> bool:
        try:
            return self.read_blocking(lambda tx: tx.one("SELECT revision FROM rules")) is not None
        except Unavailable:
            return False

    def start(self) -> None:
        """Start the writer thread in the process that writes, after any fork."""
        self._thread = threading.Thread(target=self._write_all, name="database-writer", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Finish queued work and close the connections."""
        if self._thread is not None:
            self._queue.put(None)
            while self._thread.is_alive() and not (self._watch is not None and self._watch.is_stuck()):
                self._thread.join(_JOIN_SECONDS)
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def _reader(self) -> _Reader:
        """The connection that reads, opened when it is first used. Raises Unavailable."""
        if self._opened is None:
            self._opened = _open(self._path)
        return self._opened

    def _write_all(self) -> None:
        while (first := self._queue.get()) is not None:
            try:
                with open_writer(self._path) as writer:
                    self._write_batches(writer, first)
                    break
            except DatabaseUnusable as error:
                refuse([first], _unopened(error))

    def _write_batches(self, writer: Writer, first: QueuedWrite) -> None:
        """Run a write, and all that follow until the database is closed."""
        watch = self._watch = LockWatch(writer.lock, partial(self._refuse, writer), self._lock_seconds)
        write: QueuedWrite | None = first
        try:
            while write is not None:
                writer.run(write, self._queue)
                write = self._queue.get()
        finally:
            watch.stop()

    def _refuse(self, writer: Writer, error: Unavailable) -> None:
        """Refuse all writes that wait, in the thread of the watch."""
        refused = writer.take_waiting()
        with suppress(queue.Empty):
            while True:
                write = self._queue.get_nowait()
                if write is None:
                    self._queue.put(None)
                    break
                refused.append(write)
        refuse(refused, error)


def _nothing(_: Transaction) -> None:
    """The work of a write until its own is known."""


class _Reader:
    """The connection that reads, its transaction, and the change counters."""

    __slots__ = ("connection", "generation", "transaction")

    def __init__(self, connection: apsw.Connection, generation: Generation) -> None:
        self.connection = connection
        self.generation = generation
        self.transaction = SqliteTransaction(connection)

    def close(self) -> None:
        self.connection.close()
        self.generation.close()


def _open(path: Path) -> _Reader:
    """Open the database for reading. Raises Unavailable."""
    with ExitStack() as opened:
        try:
            connection = opened.enter_context(closing(connect(path)))
            connection.execute("PRAGMA query_only = ON")
            generation = generation_of(path, writable=False)
        except (DatabaseUnusable, OSError, *MEDIUM_FAILURES) as error:
            raise _unopened(error) from error
        opened.pop_all()
        return _Reader(connection, generation)


def _unopened(error: Exception) -> Unavailable:
    """The refusal while the database cannot be opened. The text of DatabaseUnusable has the path, for operators."""
    refusal = translated(error.__cause__ or error)
    return refusal if isinstance(refusal, Unavailable) else Unavailable(reason="The database cannot be opened")
