"""Connections to PostgreSQL: how they are opened, how a transaction runs, and how errors are classified.

Conflict         two transactions could not be serialized: run the work again
ConnectionLost   the connection broke and its transaction was rolled back: run the work again on another one
Unavailable      waiting may help; also raised for a commit whose outcome is not known
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import AdaptersMap
from psycopg.pq import TransactionStatus
from psycopg.types.numeric import Int8BinaryDumper, NumericBinaryLoader
from psycopg.types.string import StrDumper

from moorage.domain.errors import Unavailable
from moorage.metadata.database import Transaction, Work
from moorage.metadata.engines.dialects import SEALED, SEALED_STATE, combined, for_postgres, inserting
from moorage.metadata.engines.postgres.servers import for_reads_after
from moorage.metadata.engines.reading import ReadingTransaction

T = TypeVar("T")

# Index scans lock the rows they read. A sequential scan locks the whole table, so any two writers would conflict,
# although the planner prefers it for small tables. No plan here is worth a JIT compilation.
_SESSION: Final = """
SET enable_seqscan = off;
SET jit = off;
SET statement_timeout = '300s';
SET lock_timeout = '30s';
SET idle_in_transaction_session_timeout = '60s'
"""

BEGIN_READ: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

# LOCK TABLE waits before the snapshot is taken. Only migrations write to this table.
BEGIN_WRITE: Final = "BEGIN ISOLATION LEVEL SERIALIZABLE; LOCK TABLE schema_version IN ROW SHARE MODE"
BEGIN_EXCLUSIVE_WRITE: Final = "BEGIN ISOLATION LEVEL SERIALIZABLE; LOCK TABLE schema_version IN EXCLUSIVE MODE"

_WITH_VERSION: Final = """
SELECT pg_current_snapshot()::text, rules.revision::text, found.*
FROM rules LEFT JOIN (SELECT true, work.* FROM ({}) AS work) AS found ON true
"""
"""The rows of a statement, after the version of the data (`versions.py`) and whether there is a row."""

_ATTEMPTS: Final = 10
_SHARED_ATTEMPTS: Final = 3
"""After so many conflicts a transaction locks out all others, so that there can be no further conflict."""

_FIRST_PAUSE: Final = 0.001

_ROWS_AT_ONCE: Final = 16
"""Rows that one statement inserts. There is a statement for each number of rows, and a connection prepares 100."""

_READS: Final = frozenset({"", BEGIN_READ})

_CONFLICT_STATES: Final = frozenset({"40001", "40P01"})
# A concurrent insert of the same row can fail with one of these instead of a serialization error; SQL class 23.
_POSSIBLE_CONFLICT_STATES: Final = frozenset({"23503", "23505"})
_LOST_STATES: Final = frozenset({"25006", "57P01", "57P02", "57P03", "57P05", "25P03"})


class Conflict(Exception):
    """The transaction conflicted with others. `error` is the real error if it also occurs without any others."""

    def __init__(self, error: psycopg.Error) -> None:
        super().__init__(str(error))
        self.error = error
        self.is_certain = error.sqlstate in _CONFLICT_STATES


class ConnectionLost(Exception):
    """The connection broke, and the transaction on it did not commit."""


class _TextDumper(StrDumper):
    """Replaces NUL, which PostgreSQL does not store, by U+0001. Names have neither, and the sort order is the same."""

    def dump(self, obj: str) -> Buffer | None:
        return super().dump(obj.replace("\0", "\1"))


class _SumLoader(NumericBinaryLoader):
    """Loads sums of BIGINT, which PostgreSQL returns as numeric, as integers."""

    def load(self, data: Buffer) -> Any:
        return int(super().load(data))


def _adapters() -> AdaptersMap:
    adapters = AdaptersMap(psycopg.adapters)
    # One type per kind of value, so that a statement is prepared only once and NULL can be compared.
    adapters.register_dumper(int, Int8BinaryDumper)
    adapters.register_dumper(str, _TextDumper)
    adapters.register_loader("numeric", _SumLoader)
    return adapters


ADAPTERS: Final = _adapters()


class PostgresTransaction(ReadingTransaction):
    """A `Transaction` of one connection."""

    __slots__ = ("_connection",)

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection

    def run(self, sql: str, **values: Any) -> int:
        """The number of rows changed."""
        return self._execute(sql, values).rowcount

    def run_each(self, sql: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """`run` with the values of one row after the other, in one trip; for a few rows to insert, in one statement."""
        values = list(rows)
        if 1 < len(values) <= _ROWS_AT_ONCE and (insert := inserting(for_postgres(sql), len(values))):
            numbered = {f"{name}_{row}": value for row, each in enumerate(values) for name, value in each.items()}
            self._connection.execute(insert.encode(), numbered, binary=True)
        elif values:
            self._connection.cursor().executemany(for_postgres(sql).encode(), values)

    def fill(self, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        """Add many whole rows to a table, as one statement."""
        with self._connection.cursor().copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN".encode()) as stream:
            for row in rows:
                stream.write_row(row)

    def insert(self, sql: str, **values: Any) -> int:
        """The new row's id."""
        (new_id,) = self._execute(f"{sql} RETURNING id", values).fetchone() or (0,)
        return int(new_id)

    def insert_all(self, statements: Sequence[str], **values: Any) -> list[int | None]:
        """All in one statement."""
        return list(self.one(combined(tuple(statements)), **values) or ())

    def _execute(self, sql: str, values: dict[str, Any]) -> psycopg.Cursor:
        return self._connection.execute(for_postgres(sql).encode(), values, binary=True)


class _SingleStatement(PostgresTransaction):
    """A transaction of a single statement; rejects a second one."""

    __slots__ = ("_is_used",)

    def __init__(self, connection: psycopg.Connection) -> None:
        super().__init__(connection)
        self._is_used = False

    def _execute(self, sql: str, values: dict[str, Any]) -> psycopg.Cursor:
        if self._is_used:
            raise RuntimeError("two statements without a transaction around them may see different rows")
        self._is_used = True
        return super()._execute(sql, values)


class _WithVersion(PostgresTransaction):
    """A transaction of a single statement that also reads the version of the data: snapshot and access revision."""

    __slots__ = ("_single", "version")

    def __init__(self, single: Transaction) -> None:
        self._single = single
        self.version = (b"", b"")

    def one(self, sql: str, **values: Any) -> tuple[Any, ...] | None:
        return next(iter(self.all(sql, **values)), None)

    def all(self, sql: str, **values: Any) -> list[tuple[Any, ...]]:
        rows = self._single.all(_WITH_VERSION.format(sql), **values)
        self.version = (rows[0][0].encode(), rows[0][1].encode())
        return [row[3:] for row in rows if row[2]]


class Connection:
    """One connection, used by one thread at a time; opened on first use and again after it was lost."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._connection: psycopg.Connection | None = None
        self._until = math.inf

    def read(self, work: Work[T]) -> T:
        """Run `work` on one snapshot."""
        return self._retry_if_lost(BEGIN_READ, work)

    def read_one(self, work: Work[T]) -> T:
        """Run `work`, which is a single statement."""
        return self._retry_if_lost("", work)

    def read_one_with_version(self, work: Work[T]) -> tuple[T, tuple[bytes, bytes]]:
        """`read_one`, and the version of the data of the same moment, in the same statement."""

        def with_version(tx: Transaction) -> tuple[T, tuple[bytes, bytes]]:
            reading = _WithVersion(tx)
            return work(reading), reading.version

        return self._retry_if_lost("", with_version)

    def write(self, work: Work[T]) -> T:
        """Run `work` in a serializable transaction; repeats it after conflicts."""
        for attempt in range(_ATTEMPTS):
            is_exclusive = attempt >= _SHARED_ATTEMPTS
            try:
                return self._retry_if_lost(BEGIN_EXCLUSIVE_WRITE if is_exclusive else BEGIN_WRITE, work)
            except Conflict as conflict:
                if is_exclusive and not conflict.is_certain:
                    raise conflict.error from None
            time.sleep(random.uniform(0, _FIRST_PAUSE * 2**attempt))  # noqa: S311 - not a secret
        raise Unavailable(reason="The database had too many conflicting changes")

    def run(self, begin: str, work: Callable[[PostgresTransaction], T]) -> T:
        """Run one transaction, or without `begin` one statement, once.

        Raises Conflict, ConnectionLost, Unavailable.
        """
        connection = self._open(for_reads=begin in _READS)
        try:
            try:
                if begin:
                    connection.execute(begin.encode())
                result = work(PostgresTransaction(connection) if begin else _SingleStatement(connection))
            except psycopg.Error as error:
                raise _translated(error, connection) from error
            if begin:
                _commit(connection)
        except BaseException:
            self._roll_back(connection)
            raise
        return result

    def begin_snapshot(self) -> None:
        """Begin a snapshot for `read_snapshot`; it lasts until `close`. Raises Unavailable."""
        connection = self._open(for_reads=True)
        try:
            connection.execute(BEGIN_READ.encode())
        except psycopg.Error as error:
            raise _lasting(_translated(error, connection)) from error

    def read_snapshot(self, work: Work[T]) -> T:
        """Run `work` on that snapshot; an error ends the snapshot. Raises Unavailable."""
        connection = self._connection
        if connection is None:
            raise Unavailable(reason="The connection to the database was lost")
        try:
            return work(PostgresTransaction(connection))
        except psycopg.Error as error:
            raise _lasting(_translated(error, connection)) from error

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _retry_if_lost(self, begin: str, work: Work[T]) -> T:
        try:
            return self.run(begin, work)
        except ConnectionLost:
            pass
        try:
            return self.run(begin, work)
        except ConnectionLost as lost:
            raise Unavailable(reason="The connection to the database was lost") from lost

    def _open(self, *, for_reads: bool) -> psycopg.Connection:
        if self._connection is not None and time.monotonic() > self._until:
            self.close()
        if self._connection is None or self._connection.closed:
            try:
                self._connection, self._until = _connect(self._address, for_reads=for_reads)
                self._connection.prepare_threshold = 2
                self._connection.execute(_SESSION.encode())
            except psycopg.Error as error:
                self.close()
                raise Unavailable(reason=f"The database is not available: {first_line(error)}") from error
        return self._connection

    def _roll_back(self, connection: psycopg.Connection) -> None:
        try:
            if connection.info.transaction_status is not TransactionStatus.IDLE:
                connection.execute("ROLLBACK")
        except psycopg.Error:
            self.close()


def _connect(address: str, *, for_reads: bool) -> tuple[psycopg.Connection, float]:
    """A new connection, and until when (monotonic seconds) to use it."""
    try:
        return psycopg.connect(address, autocommit=True, context=ADAPTERS), math.inf
    except psycopg.OperationalError as error:
        other = for_reads_after(error, address) if for_reads else None
        if other is None:
            raise
    return psycopg.connect(other.address, autocommit=True, context=ADAPTERS), other.until


def _commit(connection: psycopg.Connection) -> None:
    try:
        status = connection.execute("COMMIT").statusmessage
    except psycopg.Error as error:
        translated = _translated(error, connection)
        if isinstance(translated, ConnectionLost):
            reason = "The connection to the database was lost during a commit; it may or may not have succeeded"
            raise Unavailable(reason=reason) from error
        raise translated from error
    if status != "COMMIT":
        raise RuntimeError("work caught the error of a failed statement, so its transaction could not commit")


def _translated(error: psycopg.Error, connection: psycopg.Connection) -> Exception:
    state = error.sqlstate or ""
    if state in _CONFLICT_STATES | _POSSIBLE_CONFLICT_STATES:
        return Conflict(error)
    if state == SEALED_STATE:
        return Unavailable(reason=SEALED)
    if connection.closed or state in _LOST_STATES or state.startswith("08"):
        connection.close()
        return ConnectionLost(first_line(error))
    if isinstance(error, psycopg.OperationalError):
        return Unavailable(reason=f"The database cannot do this now: {first_line(error)}")
    return error


def _lasting(error: Exception) -> Exception:
    """The error for work that cannot run again on another connection."""
    return Unavailable(reason="The connection to the database was lost") if isinstance(error, ConnectionLost) else error


def first_line(error: psycopg.Error) -> str:
    """The error message without the text of the statement."""
    return str(error).strip().partition("\n")[0]
