"""The connection that writes: batches of writes that share a commit, or single transactions of commands."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TypeVar

import apsw

from moorage.domain.errors import Unavailable
from moorage.metadata.database import CachedUntil, DatabaseUnusable, Work
from moorage.metadata.engines.sqlite.batches import Batch, QueuedWrite, resolve
from moorage.metadata.engines.sqlite.connections import (
    SqliteTransaction,
    connect,
    generation_of,
    require_safe_sqlite,
)
from moorage.metadata.engines.sqlite.failures import MEDIUM_FAILURES, translated
from moorage.metadata.engines.sqlite.generation import Generation
from moorage.metadata.engines.sqlite.writers_lock import LOCKED, WritersLock
from moorage.shares import WorkQueue

T = TypeVar("T")


class Writer:
    """The connection that writes, and the lock file that excludes writers of other processes."""

    def __init__(
        self,
        connection: apsw.Connection,
        lock: WritersLock,
        generation: Generation,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._generation = generation
        self._transaction = SqliteTransaction(connection)
        self._clock = clock
        self._commit_seconds = 0.0
        self.lock = lock
        self._waiting: list[QueuedWrite] = []
        self._taking = threading.Lock()

    def run(self, first: QueuedWrite, waiting: WorkQueue[QueuedWrite]) -> None:
        """Run a write and further ones of the queue in one transaction, then set the results of all."""
        batch = Batch(first, waiting, self._commit_seconds, self._clock)
        self._waiting = batch.writes
        try:
            self.lock.acquire()
            batch.writes = self.take_waiting()
            with self._transaction_with_lock():
                batch.run(self._run_one)
        except Exception as error:  # noqa: BLE001 - all waiting requests get the error, and the thread continues
            failure = translated(error)
            for write in batch.writes:
                write.error = failure
        resolve(batch.writes)

    def take_waiting(self) -> list[QueuedWrite]:
        """Take the writes that wait for the lock: to run them, or to refuse them. Only the first caller gets them."""
        with self._taking:
            waiting, self._waiting = self._waiting, []
        return waiting

    def transact(self, work: Work[T]) -> T:
        """Run one function in a transaction of its own.

        Raises Unavailable, also if another process keeps the lock.
        """
        self.lock.acquire_soon()
        try:
            with self._transaction_with_lock():
                return work(self._transaction)
        except (*MEDIUM_FAILURES, apsw.ConstraintError) as error:
            failure = translated(error)
            if failure is error:
                raise
            raise failure from error

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
            self._commit()
        except BaseException:
            # After a full disk or a failed write, SQLite may have rolled back already (lang_transaction.html).
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        finally:
            self._generation.end()
            self.lock.release()

    def _commit(self) -> None:
        started = self._clock()
        self._connection.execute("COMMIT")
        self._commit_seconds = self._clock() - started

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

    def _run_one(self, write: QueuedWrite) -> None:
        self._connection.execute("SAVEPOINT job")
        try:
            write.result = write.work(self._transaction)
        except apsw.FullError:
            raise
        except BaseException as error:
            if not self._connection.in_transaction:  # SQLite rolled back the whole batch, not only this write
                raise
            write.error = translated(error)
            self._connection.execute("ROLLBACK TO job")
        self._connection.execute("RELEASE job")


@contextmanager
def open_writer(path: Path) -> Iterator[Writer]:
    """Open the database at `path` for writing, for the writer thread and for commands. Raises DatabaseUnusable."""
    require_safe_sqlite()
    with ExitStack() as opened:
        connection = opened.enter_context(closing(connect(path)))
        try:
            lock = opened.enter_context(closing(WritersLock(path.with_suffix(".lock"))))
            generation = opened.enter_context(closing(generation_of(path, writable=True)))
        except OSError as error:
            raise DatabaseUnusable(f"{path}: {error}") from error
        yield Writer(connection, lock, generation)
