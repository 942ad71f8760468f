"""Connections to the database file, and their transactions.

SQLite 3.7.0 to 3.51.2 can corrupt a WAL database that two connections write; those versions are rejected.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import apsw
import msgspec

from moorage.metadata.database import DatabaseUnusable, Work
from moorage.metadata.engines.dialects import for_sqlite
from moorage.metadata.engines.reading import ReadingTransaction
from moorage.metadata.engines.sqlite.failures import MEDIUM_FAILURES, translated
from moorage.metadata.engines.sqlite.generation import Generation

T = TypeVar("T")

_MIN_SQLITE: Final = 3_051_003

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
        """Run `work` on the state. Raises Unavailable."""
        try:
            return work(self._reading)
        except MEDIUM_FAILURES as error:
            raise translated(error) from error


def connect(path: Path) -> apsw.Connection:
    """Open the database, and create it if it does not exist. Raises DatabaseUnusable, whose cause is SQLite's error."""
    try:
        connection = apsw.Connection(str(path))
        connection.set_busy_timeout(10_000)
        # Otherwise SQLite plans a statement again whenever values are bound, which costs ten times its execution.
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        connection.execute(_PRAGMAS).fetchall()  # an unread row would block the following statements
    except apsw.Error as error:
        raise DatabaseUnusable(f"{path}: {error}; check whether its disk is full and whether it is writable") from error
    return connection


def generation_of(path: Path, *, writable: bool) -> Generation:
    """The change counters of a database. Raises OSError."""
    return Generation(path.with_suffix(".generation"), writable=writable)


def require_safe_sqlite() -> None:
    """Raises DatabaseUnusable for a version of SQLite with the defect."""
    if apsw.SQLITE_VERSION_NUMBER < _MIN_SQLITE:
        raise DatabaseUnusable(f"SQLite {apsw.sqlite_lib_version()} can corrupt the database: install apsw >= 3.51.3")
