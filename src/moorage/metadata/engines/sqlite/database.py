"""The SQLite database, through apsw: reads run on the event loop, and one thread writes in batches that share an fsync.

    event loop ──read()──> reader connection (WAL snapshot, a few microseconds, no thread switch)
    event loop ──write()─> queue ─> writer thread: BEGIN IMMEDIATE, one SAVEPOINT per request, COMMIT, then all results

Several worker processes open the same file; each has two connections. Writers of different processes wait for a lock
on a file (`writers_lock.py`), because SQLite's own waiting is a loop of sleeps.

SQLite 3.7.0 to 3.51.2 can corrupt a WAL database that two connections write; those versions are rejected.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import apsw
import msgspec

from moorage.domain.errors import Unavailable
from moorage.metadata.database import CachedUntil, DatabaseUnusable, Lookup, Work
from moorage.metadata.engines.dialects import SEALED, for_sqlite
from moorage.metadata.engines.reading import ReadingTransaction
from moorage.metadata.engines.result_cache import MISSING, ResultCache
from moorage.metadata.engines.sqlite.generation import Generation
from moorage.metadata.engines.sqlite.writers_lock import LOCK_SECONDS, LOCKED, LockWatch, WritersLock

T = TypeVar("T")

_MIN_SQLITE: Final = 3_051_003
_JOIN_SECONDS: Final = 1.0
_MAX_BATCH: Final = 64
"""Maximum number of writes that share a commit; limits how long one slow write can delay others."""

_PRAGMAS: Final = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA foreign_keys = ON;
PRAGMA trusted_schema = OFF;
PRAGMA cell_size_check = ON;
PRAGMA temp_store = MEMORY;
"""


class SqliteTransaction(ReadingTransaction):
    """A `Transaction` of one connection."""

    __slots__ = ("_connection",)

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def run(self, sql: str, **values: Any) -> int:
        """The number of rows changed."""
        self._execute(sql, values)
        return self._connection.changes()

    def run_each(self, sql: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """`run` with the values of one row after the other."""
        self._connection.executemany(sql, rows)

    def fill(self, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        """Add many whole rows to a table."""
        places = ", ".join("?" * len(columns))
        self._connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})", rows)

    def insert(self, sql: str, **values: Any) -> int:
        """The new row's id."""
        self._execute(sql, values)
        return self._connection.last_insert_rowid()

    def _execute(self, sql: str, values: dict[str, Any]) -> apsw.Cursor:
        statement, lists = for_sqlite(sql)
        for name in lists:
            values[name] = msgspec.json.encode(values[name]).decode()
        return self._connection.execute(statement, values)


class SqliteSnapshot:
    """A `Snapshot`: the read transaction of one connection."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._reading = SqliteTransaction(connection)

    async def read(self, work: Work[T]) -> T:
        return work(self._reading)


class SqliteDatabase:
    """One process's connections to the database file."""

    def __init__(self, path: Path, lock_seconds: float = LOCK_SECONDS) -> None:
        _require_safe_sqlite()
        self._path = path
        self._lock_seconds = lock_seconds
        self._reader = _connect(path)
        self._reader.execute("PRAGMA query_only = ON")
        self._reading = SqliteTransaction(self._reader)
        self._generation = _generation_of(path)
        self._cached = {until: ResultCache() for until in CachedUntil}
        self._queue: queue.SimpleQueue[_QueuedWrite | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._watch: LockWatch | None = None

    async def read(self, work: Work[T]) -> T:
        """Run `work` on a snapshot, on the event loop: point lookups cost less than a switch to a thread."""
        return self.read_blocking(work)

    async def read_one(self, work: Work[T]) -> T:
        """`read` for work of a single statement."""
        return work(self._reading)

    def read_blocking(self, work: Work[T]) -> T:
        """`read` for callers without an event loop."""
        self._reader.execute("BEGIN")
        try:
            return work(self._reading)
        finally:
            self._reader.execute("COMMIT")

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[SqliteSnapshot]:
        """See `Database.snapshot`. Uses a connection of its own, because other reads need newer states."""
        connection = _connect(self._path)
        try:
            connection.execute("PRAGMA query_only = ON")
            connection.execute("BEGIN")
            yield SqliteSnapshot(connection)
        finally:
            connection.close()

    async def read_cached(self, lookup: Lookup[T]) -> T:
        """`read`, or the cached result for the same key if no process has committed a relevant change since."""
        number = self._generation.read(lookup.until)
        cached = self._cached[lookup.until]
        if number != cached.version:
            cached.set_version(number)
        else:
            known: T = cached.results.get(lookup.key, MISSING)
            if known is not MISSING:
                return known
        result = self.read_blocking(lookup.work)
        if lookup.keep(result) and self._generation.is_settled(number):
            cached.add(lookup.key, result)
        return result

    async def write(self, work: Work[T]) -> T:
        """Run `work` in the writer's next transaction; returns after its commit has reached the disk.

        An exception from `work` rolls back its own changes only. Raises Unavailable when the disk is full, and when
        another process has locked the database for too long; then `work` does not run later.
        """
        return await self.write_later(work)

    def write_later(self, work: Work[T]) -> asyncio.Future[T]:
        """`write` for callers that do not wait; they handle the result of the future."""
        write = _QueuedWrite(work, asyncio.get_running_loop())
        self._queue.put(write)
        return write.future

    async def is_reachable(self) -> bool:
        try:
            return self.read_blocking(lambda tx: tx.one("SELECT 1")) is not None
        except apsw.Error:
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
        self._reader.close()
        self._generation.close()

    def _write_all(self) -> None:
        with open_writer(self._path) as writer:
            watch = self._watch = LockWatch(writer.lock, partial(self._refuse, writer), self._lock_seconds)
            try:
                while batch := self._next_batch():
                    writer.run(batch)
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
        for write in refused:
            write.error = error
        _resolve(refused)

    def _next_batch(self) -> list[_QueuedWrite]:
        first = self._queue.get()
        if first is None:
            return []
        batch = [first]
        while len(batch) < _MAX_BATCH:
            try:
                write = self._queue.get_nowait()
            except queue.Empty:
                break
            if write is None:
                self._queue.put(None)
                break
            batch.append(write)
        return batch


class _QueuedWrite:
    """A queued write and the future for its result."""

    __slots__ = ("error", "future", "loop", "result", "work")

    def __init__(self, work: Work[Any], loop: asyncio.AbstractEventLoop) -> None:
        self.work = work
        self.loop = loop
        self.future: asyncio.Future[Any] = loop.create_future()
        self.result: Any = None
        self.error: BaseException | None = None

    def resolve(self) -> None:
        if self.future.done():  # the client disconnected; the write has happened anyway
            return
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


class Writer:
    """The connection that writes, and the lock file that excludes writers of other processes."""

    def __init__(self, connection: apsw.Connection, lock: WritersLock, generation: Generation) -> None:
        self._connection = connection
        self._generation = generation
        self._transaction = SqliteTransaction(connection)
        self.lock = lock
        self._waiting: list[_QueuedWrite] = []
        self._taking = threading.Lock()

    def run(self, batch: list[_QueuedWrite]) -> None:
        """Run a batch in one transaction, then set the results of all its writes."""
        self._waiting = batch
        try:
            self.lock.acquire()
            batch = self.take_waiting()
            with self._transaction_with_lock():
                for write in batch:
                    self._run_one(write)
        except Exception as error:  # noqa: BLE001 - all waiting requests get the error, and the thread continues
            for write in batch:
                write.error = _translated(error)
        _resolve(batch)

    def take_waiting(self) -> list[_QueuedWrite]:
        """Take the writes that wait for the lock: to run them, or to refuse them. Only the first caller gets them."""
        with self._taking:
            waiting, self._waiting = self._waiting, []
        return waiting

    def transact(self, work: Work[T]) -> T:
        """Run one function in a transaction of its own. Raises Unavailable if another process keeps the lock."""
        self.lock.acquire_soon()
        with self._transaction_with_lock():
            try:
                return work(self._transaction)
            except apsw.ConstraintError as error:
                raise _translated(error) from error

    @contextmanager
    def _transaction_with_lock(self) -> Iterator[None]:
        """A transaction of this thread, which has the lock; it is released at the end."""
        try:
            self._begin()
            before = self._access_revision()
            yield
            self._generation.begin(
                CachedUntil.ANY_CHANGE, *([CachedUntil.ACCESS_CHANGE] if self._access_revision() != before else [])
            )
            self._connection.execute("COMMIT")
        except BaseException:
            # After a full disk or a failed write, SQLite may have rolled back already (lang_transaction.html).
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        finally:
            self._generation.end()
            self.lock.release()

    def _begin(self) -> None:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except apsw.BusyError as error:  # a program that does not know the lock file, such as sqlite3
            raise Unavailable(reason=LOCKED) from error

    def _access_revision(self) -> int:
        """The revision of the access data; 0 in a schema without its table."""
        try:
            return int(self._connection.execute("SELECT revision FROM rules").get)
        except apsw.SQLError:
            return 0

    def _run_one(self, write: _QueuedWrite) -> None:
        self._connection.execute("SAVEPOINT job")
        try:
            write.result = write.work(self._transaction)
        except apsw.FullError:
            raise
        except BaseException as error:
            if not self._connection.in_transaction:  # SQLite rolled back the whole batch, not only this write
                raise
            write.error = _translated(error)
            self._connection.execute("ROLLBACK TO job")
        self._connection.execute("RELEASE job")


@contextmanager
def open_writer(path: Path) -> Iterator[Writer]:
    """Open the database at `path` for writing, for the writer thread and for commands."""
    _require_safe_sqlite()
    connection = _connect(path)
    lock = WritersLock(path.with_suffix(".lock"))
    generation = _generation_of(path)
    try:
        yield Writer(connection, lock, generation)
    finally:
        generation.close()
        lock.close()
        connection.close()


def _connect(path: Path) -> apsw.Connection:
    try:
        connection = apsw.Connection(str(path))
        connection.set_busy_timeout(10_000)
        # Otherwise SQLite plans a statement again whenever values are bound, which costs ten times its execution.
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        connection.execute(_PRAGMAS).fetchall()  # an unread row would block the following statements
    except apsw.Error as error:
        raise DatabaseUnusable(f"{path}: {error}; check whether its disk is full and whether it is writable") from error
    return connection


def _generation_of(path: Path) -> Generation:
    return Generation(path.with_suffix(".generation"))


def _require_safe_sqlite() -> None:
    if apsw.SQLITE_VERSION_NUMBER < _MIN_SQLITE:
        raise DatabaseUnusable(f"SQLite {apsw.sqlite_lib_version()} can corrupt the database: install apsw >= 3.51.3")


def _translated(error: BaseException) -> BaseException:
    if isinstance(error, apsw.FullError):
        return Unavailable(reason="The disk is full")
    if isinstance(error, apsw.ConstraintError) and str(error) == SEALED:
        return Unavailable(reason=SEALED)
    return error


def _resolve(batch: list[_QueuedWrite]) -> None:
    """Wake each event loop once, however many requests of the batch it has."""
    for loop in {write.loop for write in batch}:
        writes = [write for write in batch if write.loop is loop]
        try:
            loop.call_soon_threadsafe(_resolve_all, writes)
        except RuntimeError:  # the loop is closed: the server is stopping, and nobody waits
            continue


def _resolve_all(writes: list[_QueuedWrite]) -> None:
    for write in writes:
        write.resolve()
