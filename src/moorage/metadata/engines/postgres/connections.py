"""Connections to PostgreSQL: how one is opened, what a transaction on it is, and what its failures mean.

Conflict         two transactions could not both be done as if they were alone: do the work again
ConnectionLost   the connection is gone, and the transaction with it: do the work again on another one
Unavailable      what waiting may help with, a commit among it of which nobody knows whether it happened
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import AdaptersMap
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus
from psycopg.types.numeric import Int8BinaryDumper, NumericBinaryLoader
from psycopg.types.string import StrDumper

from moorage.domain.errors import Unavailable
from moorage.metadata.database import DatabaseUnusable, Work
from moorage.metadata.engines.dialects import SEALED, SEALED_STATE, for_postgres

T = TypeVar("T")

_PARAMETERS: Final[Mapping[str, Any]] = {
    "application_name": "moorage",
    "client_encoding": "UTF8",
    "connect_timeout": 5,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    # After a failover the server that has become a standby is no more what is looked for.
    "target_session_attrs": "read-write",
}
"""What the address may say otherwise: libpq, "Parameter Key Words"."""

# Index scans lock the rows they look at, sequential scans of a table that is small still lock it as a whole: every
# two writers would be in conflict. A plan is never worth compiling here.
_SESSION: Final = """
SET enable_seqscan = off;
SET jit = off;
SET statement_timeout = '300s';
SET lock_timeout = '30s';
SET idle_in_transaction_session_timeout = '60s'
"""

READING: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

# LOCK TABLE waits before the snapshot is taken; the table is written by nothing but migrations.
WRITING: Final = "BEGIN ISOLATION LEVEL SERIALIZABLE; LOCK TABLE schema_version IN ROW SHARE MODE"
WRITING_ALONE: Final = "BEGIN ISOLATION LEVEL SERIALIZABLE; LOCK TABLE schema_version IN EXCLUSIVE MODE"

_TRIES: Final = 10
_TRIES_BESIDE_OTHERS: Final = 3
"""After so many conflicts a transaction asks for the database alone, where it can meet no other one."""

_FIRST_PAUSE: Final = 0.001

_CONFLICTS: Final = frozenset({"40001", "40P01"})
# Of two that insert the same row the later one may be told so instead of being told to try again; SQL, class 23.
_MAYBE_CONFLICTS: Final = frozenset({"23503", "23505"})
_GONE: Final = frozenset({"25006", "57P01", "57P02", "57P03", "57P05", "25P03"})


class Conflict(Exception):
    """The transaction was undone because of others; `error` is what it is if it comes without any other."""

    def __init__(self, error: psycopg.Error) -> None:
        super().__init__(str(error))
        self.error = error
        self.is_certain = error.sqlstate in _CONFLICTS


class ConnectionLost(Exception):
    """The connection broke, and nothing that was begun on it has happened."""


def address_of(url: str) -> str:
    """The connection string for an address of the settings. Raises DatabaseUnusable."""
    try:
        return make_conninfo("", **{**_PARAMETERS, **conninfo_to_dict(url)})
    except psycopg.ProgrammingError as error:
        raise DatabaseUnusable(f"database: {error}".strip()) from None


class _TextDumper(StrDumper):
    """NUL, which texts of PostgreSQL cannot have, becomes its neighbour: names have neither, and sort the same way."""

    def dump(self, obj: str) -> Buffer | None:
        return super().dump(obj.replace("\0", "\1"))


class _SumLoader(NumericBinaryLoader):
    """What PostgreSQL's sums of BIGINT are: integers."""

    def load(self, data: Buffer) -> Any:
        return int(super().load(data))


def _adapters() -> AdaptersMap:
    adapters = AdaptersMap(psycopg.adapters)
    # One type for each kind of value, so that a statement is prepared once, and NULL can be compared with.
    adapters.register_dumper(int, Int8BinaryDumper)
    adapters.register_dumper(str, _TextDumper)
    adapters.register_loader("numeric", _SumLoader)
    return adapters


ADAPTERS: Final = _adapters()


class PostgresTransaction:
    """A `Transaction` of one connection."""

    __slots__ = ("_connection",)

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection

    def one(self, sql: str, **values: Any) -> tuple[Any, ...] | None:
        """The first row, or None."""
        return self._execute(sql, values).fetchone()

    def all(self, sql: str, **values: Any) -> list[tuple[Any, ...]]:
        return self._execute(sql, values).fetchall()

    def run(self, sql: str, **values: Any) -> int:
        """The number of rows changed."""
        return self._execute(sql, values).rowcount

    def run_each(self, sql: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """`run` with the values of one row after the other, in one trip."""
        given = list(rows)
        if given:
            self._connection.cursor().executemany(for_postgres(sql).encode(), given)

    def fill(self, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        """Add many whole rows to a table, as one statement."""
        with self._connection.cursor().copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN".encode()) as stream:
            for row in rows:
                stream.write_row(row)

    def insert(self, sql: str, **values: Any) -> int:
        """The new row's id."""
        (new_id,) = self._execute(f"{sql} RETURNING id", values).fetchone() or (0,)
        return int(new_id)

    def _execute(self, sql: str, values: dict[str, Any]) -> psycopg.Cursor:
        return self._connection.execute(for_postgres(sql).encode(), values, binary=True)


class _Statement(PostgresTransaction):
    """A transaction that is one statement, and refuses to be more."""

    __slots__ = ("_is_over",)

    def __init__(self, connection: psycopg.Connection) -> None:
        super().__init__(connection)
        self._is_over = False

    def _execute(self, sql: str, values: dict[str, Any]) -> psycopg.Cursor:
        if self._is_over:
            raise RuntimeError("two statements without a transaction around them may see different rows")
        self._is_over = True
        return super()._execute(sql, values)


class Connection:
    """One connection, for one thread at a time: opened when it is needed, and anew when it was lost."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._connection: psycopg.Connection | None = None

    def read(self, work: Work[T]) -> T:
        """Do `work` on one snapshot."""
        return self._again_if_lost(READING, work)

    def read_one(self, work: Work[T]) -> T:
        """Do `work` of one statement."""
        return self._again_if_lost("", work)

    def write(self, work: Work[T]) -> T:
        """Do `work` as if nobody else wrote, again and again if need be."""
        for attempt in range(_TRIES):
            is_alone = attempt >= _TRIES_BESIDE_OTHERS
            try:
                return self._again_if_lost(WRITING_ALONE if is_alone else WRITING, work)
            except Conflict as conflict:
                if is_alone and not conflict.is_certain:
                    raise conflict.error from None
            time.sleep(random.uniform(0, _FIRST_PAUSE * 2**attempt))  # noqa: S311 - no secret
        raise Unavailable(reason="Too many others changed the same at the same time")

    def run(self, begin: str, work: Callable[[PostgresTransaction], T]) -> T:
        """One transaction, or one statement without `begin`, tried once.

        Raises Conflict, ConnectionLost, Unavailable.
        """
        connection = self._connected()
        try:
            try:
                if begin:
                    connection.execute(begin.encode())
                result = work(PostgresTransaction(connection) if begin else _Statement(connection))
            except psycopg.Error as error:
                raise _meaning(error, connection) from error
            if begin:
                _commit(connection)
        except BaseException:
            self._undo(connection)
            raise
        return result

    def hold(self) -> None:
        """Begin a snapshot that stays until `close`, for `read_blocking`."""
        self._connected().execute(READING.encode())

    def read_blocking(self, work: Work[T]) -> T:
        """Do a part of the work on the snapshot that is held; what fails ends it. Raises Unavailable."""
        connection = self._connected()
        try:
            return work(PostgresTransaction(connection))
        except psycopg.Error as error:
            meaning = _meaning(error, connection)
            if isinstance(meaning, ConnectionLost):
                meaning = Unavailable(reason="The connection to the database was lost")
            raise meaning from error

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _again_if_lost(self, begin: str, work: Work[T]) -> T:
        try:
            return self.run(begin, work)
        except ConnectionLost:
            pass
        try:
            return self.run(begin, work)
        except ConnectionLost as lost:
            raise Unavailable(reason="The connection to the database was lost") from lost

    def _connected(self) -> psycopg.Connection:
        if self._connection is None or self._connection.closed:
            try:
                self._connection = psycopg.connect(self._address, autocommit=True, context=ADAPTERS)
                self._connection.prepare_threshold = 2
                self._connection.execute(_SESSION.encode())
            except psycopg.Error as error:
                self.close()
                raise Unavailable(reason=f"The database does not answer: {first_line(error)}") from error
        return self._connection

    def _undo(self, connection: psycopg.Connection) -> None:
        try:
            if connection.info.transaction_status is not TransactionStatus.IDLE:
                connection.execute("ROLLBACK")
        except psycopg.Error:
            self.close()


def _commit(connection: psycopg.Connection) -> None:
    try:
        done = connection.execute("COMMIT").statusmessage
    except psycopg.Error as error:
        meaning = _meaning(error, connection)
        if isinstance(meaning, ConnectionLost):
            reason = "The connection to the database was lost in a commit, and whether it happened is not known"
            raise Unavailable(reason=reason) from error
        raise meaning from error
    if done != "COMMIT":
        raise RuntimeError("a failed statement was caught, and the transaction went on as if nothing had happened")


def _meaning(error: psycopg.Error, connection: psycopg.Connection) -> Exception:
    state = error.sqlstate or ""
    if state in _CONFLICTS | _MAYBE_CONFLICTS:
        return Conflict(error)
    if state == SEALED_STATE:
        return Unavailable(reason=SEALED)
    if connection.closed or state in _GONE or state.startswith("08"):
        connection.close()
        return ConnectionLost(first_line(error))
    if isinstance(error, psycopg.OperationalError):
        return Unavailable(reason=f"The database cannot do that now: {first_line(error)}")
    return error


def first_line(error: psycopg.Error) -> str:
    """What went wrong, without the statement that it went wrong in."""
    return str(error).strip().partition("\n")[0]
