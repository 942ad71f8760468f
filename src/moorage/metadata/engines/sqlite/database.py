"""The embedded database: SQLite through apsw, read in place, written by one thread whose commits share an fsync.

    event loop ──read()──> reader connection (WAL snapshot, a few microseconds, no thread hop)
    event loop ──write()─> queue ─> writer thread: BEGIN IMMEDIATE, one SAVEPOINT a request, COMMIT, then all answers

Several worker processes open the same file; each has its own two connections. Writers of different processes queue at a
lock file, in the kernel, since SQLite's own waiting is a loop of sleeps.

SQLite versions 3.7.0 to 3.51.2 can corrupt a WAL database that two connections write; older ones are refused.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import queue
import threading
from collections.abc import AsyncIterator, Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import apsw
import msgspec

from moorage.domain.errors import Unavailable
from moorage.metadata.database import CachedUntil, DatabaseUnusable, Work, is_there
from moorage.metadata.engines.dialects import SEALED, for_sqlite
from moorage.metadata.engines.sqlite.generation import Generation

T = TypeVar("T")

_OLDEST_SQLITE: Final = 3_051_003
_BATCH: Final = 64
"""Requests whose writes share one commit at most: bounds what a single slow one can hold up."""

_REMEMBERED: Final = 2048
"""Results that a process remembers at most."""

_PRAGMAS: Final = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA foreign_keys = ON;
PRAGMA trusted_schema = OFF;
PRAGMA cell_size_check = ON;
PRAGMA temp_store = MEMORY;
"""


class SqliteTransaction:
    """A `Transaction` of one connection."""

    __slots__ = ("_connection",)

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def one(self, sql: str, **values: Any) -> tuple[Any, ...] | None:
        """The first row, or None."""
        return self._execute(sql, values).fetchone()

    def all(self, sql: str, **values: Any) -> list[tuple[Any, ...]]:
        return self._execute(sql, values).fetchall()

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
    """One process's view of the database file."""

    def __init__(self, path: Path) -> None:
        _refuse_old_sqlite()
        self._path = path
        self._reader = _connect(path)
        self._reader.execute("PRAGMA query_only = ON")
        self._reading = SqliteTransaction(self._reader)
        self._generation = _generation_of(path)
        self._remembered = {until: _Remembered(self._generation.read(until)) for until in CachedUntil}
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    async def read(self, work: Work[T]) -> T:
        """Run `work` on a snapshot, here and now: point look-ups cost less than a hop to a thread would."""
        return self.read_blocking(work)

    async def read_one(self, work: Work[T]) -> T:
        """`read` for work of one statement."""
        return work(self._reading)

    def read_blocking(self, work: Work[T]) -> T:
        """`read` for callers that are not on an event loop."""
        self._reader.execute("BEGIN")
        try:
            return work(self._reading)
        finally:
            self._reader.execute("COMMIT")

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[SqliteSnapshot]:
        """On a connection of its own, since the state of the other one goes on."""
        connection = _connect(self._path)
        try:
            connection.execute("PRAGMA query_only = ON")
            connection.execute("BEGIN")
            yield SqliteSnapshot(connection)
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
        """`read`, or what it gave for the same `key` if nothing that matters was committed since, by any process."""
        number = self._generation.read(until)
        remembered = self._remembered[until]
        if number != remembered.at:
            self._remembered[until] = remembered = _Remembered(number)
        elif key in remembered.results:
            known: T = remembered.results[key]
            return known
        result = self.read_blocking(work)
        if keep(result) and self._generation.is_settled(number):
            if len(remembered.results) >= _REMEMBERED:
                remembered.results.clear()
            remembered.results[key] = result
        return result

    async def write(self, work: Work[T]) -> T:
        """Run `work` in the writer's next transaction; returns after its commit has reached the disk.

        Whatever `work` raises undoes its own changes only. Raises Unavailable when the disk is full.
        """
        return await self.write_later(work)

    def write_later(self, work: Work[T]) -> asyncio.Future[T]:
        """`write` for callers that do not wait; what the future holds is theirs to look at."""
        job = _Job(work, asyncio.get_running_loop())
        self._queue.put(job)
        return job.future

    async def is_reachable(self) -> bool:
        try:
            return self.read_blocking(lambda tx: tx.one("SELECT 1")) is not None
        except apsw.Error:
            return False

    def start(self) -> None:
        """Start the writer; to be called in the process that writes, after any fork."""
        self._thread = threading.Thread(target=self._write_all, name="database-writer", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Finish what is queued and close the connections."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
        self._reader.close()
        self._generation.close()

    def _write_all(self) -> None:
        with open_writer(self._path) as writer:
            while batch := self._next_batch():
                writer.run(batch)

    def _next_batch(self) -> list[_Job]:
        first = self._queue.get()
        if first is None:
            return []
        batch = [first]
        while len(batch) < _BATCH:
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                break
            if job is None:
                self._queue.put(None)
                break
            batch.append(job)
        return batch


class _Remembered:
    """Results that are true for as long as a number of `Generation` stays the same."""

    __slots__ = ("at", "results")

    def __init__(self, at: bytes) -> None:
        self.at = at
        self.results: dict[Hashable, Any] = {}


class _Job:
    """A piece of work and the future that awaits its result."""

    __slots__ = ("error", "future", "loop", "result", "work")

    def __init__(self, work: Work[Any], loop: asyncio.AbstractEventLoop) -> None:
        self.work = work
        self.loop = loop
        self.future: asyncio.Future[Any] = loop.create_future()
        self.result: Any = None
        self.error: BaseException | None = None

    def answer(self) -> None:
        if self.future.done():  # The client went away; what it asked for has happened all the same.
            return
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


class Writer:
    """The connection that writes, and the lock file at which writers of other processes wait."""

    def __init__(self, connection: apsw.Connection, lock: int, generation: Generation) -> None:
        self._connection = connection
        self._generation = generation
        self._transaction = SqliteTransaction(connection)
        self._lock = lock

    def run(self, batch: list[_Job]) -> None:
        """Do the jobs of a batch in one transaction, then answer all of them."""
        try:
            with self._locked():
                for job in batch:
                    self._do(job)
        except Exception as error:  # noqa: BLE001 - whatever it was, all who wait are told, and the thread goes on
            for job in batch:
                job.error = _translated(error)
        _answer(batch)

    def transact(self, work: Work[T]) -> T:
        """Do one piece of work in a transaction of its own."""
        with self._locked():
            try:
                return work(self._transaction)
            except apsw.ConstraintError as error:
                raise _translated(error) from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            before = self._rules()
            yield
            self._generation.begin(
                CachedUntil.ANY_CHANGE, *([CachedUntil.CHANGE_OF_RULES] if self._rules() != before else [])
            )
            self._connection.execute("COMMIT")
        except BaseException:
            # After a full disk or a failed write SQLite may have rolled back by itself (lang_transaction.html).
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        finally:
            self._generation.end()
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def _rules(self) -> int:
        """How often the rules have changed, if there is a table yet that says so."""
        try:
            return int(self._connection.execute("SELECT revision FROM rules").get)
        except apsw.SQLError:
            return 0

    def _do(self, job: _Job) -> None:
        self._connection.execute("SAVEPOINT job")
        try:
            job.result = job.work(self._transaction)
        except apsw.FullError:
            raise
        except BaseException as error:
            if not self._connection.in_transaction:  # SQLite gave up the whole batch, not this job only.
                raise
            job.error = _translated(error)
            self._connection.execute("ROLLBACK TO job")
        self._connection.execute("RELEASE job")


@contextmanager
def open_writer(path: Path) -> Iterator[Writer]:
    """The writing side of the database at `path`, for the writer thread and for commands."""
    _refuse_old_sqlite()
    connection = _connect(path)
    lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    generation = _generation_of(path)
    try:
        yield Writer(connection, lock, generation)
    finally:
        generation.close()
        os.close(lock)
        connection.close()


def _connect(path: Path) -> apsw.Connection:
    try:
        connection = apsw.Connection(str(path))
        connection.set_busy_timeout(10_000)
        # Without this, SQLite plans a statement anew when values are bound to it: ten times the cost of running it.
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        connection.execute(
            _PRAGMAS
        ).fetchall()  # A statement that gives a row holds up those behind it until it is read.
    except apsw.Error as error:
        raise DatabaseUnusable(
            f"{path}: {error}; see whether its disk is full, and whether it may be written"
        ) from error
    return connection


def _generation_of(path: Path) -> Generation:
    return Generation(path.with_suffix(".generation"))


def _refuse_old_sqlite() -> None:
    if apsw.SQLITE_VERSION_NUMBER < _OLDEST_SQLITE:
        raise DatabaseUnusable(f"SQLite {apsw.sqlite_lib_version()} can corrupt the database: install apsw >= 3.51.3")


def _translated(error: BaseException) -> BaseException:
    if isinstance(error, apsw.FullError):
        return Unavailable(reason="The disk is full")
    if isinstance(error, apsw.ConstraintError) and str(error) == SEALED:
        return Unavailable(reason=SEALED)
    return error


def _answer(batch: list[_Job]) -> None:
    """Wake each event loop once, however many of its requests the batch held."""
    for loop in {job.loop for job in batch}:
        jobs = [job for job in batch if job.loop is loop]
        try:
            loop.call_soon_threadsafe(_answer_all, jobs)
        except RuntimeError:  # The loop is closed: the server is stopping, and nobody waits any more.
            continue


def _answer_all(jobs: list[_Job]) -> None:
    for job in jobs:
        job.answer()
