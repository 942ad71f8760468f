"""What statements cost: how much an engine does for them, counted instead of timed, so that it is the same every time.

SQLite counts the instructions of its virtual machine. PostgreSQL counts the rows that each step of a plan returns and
drops.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import apsw
import psycopg

from moorage.metadata.database import Transaction
from moorage.metadata.engines.postgres import schema
from moorage.metadata.engines.postgres.connections import ADAPTERS, PostgresTransaction
from moorage.metadata.engines.sqlite.connections import SqliteTransaction, connect

Work = Callable[[Transaction], object]


@dataclass
class Cost:
    """The steps of the statements of a piece of work, by statement."""

    by_statement: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.by_statement.values())

    def add(self, sql: str, steps: int) -> None:
        sql = " ".join(sql.split())
        self.by_statement[sql] = self.by_statement.get(sql, 0) + steps


class Meter(Protocol):
    """A database in which work is done and undone, and its cost counted."""

    def cost_of(self, work: Work) -> Cost: ...

    def keep(self, work: Work) -> None:
        """Do work that stays."""

    def analyzed(self) -> Meter:
        """The database with statistics for the planner, or a copy that has them."""


class SqliteMeter:
    def __init__(self, path: Path) -> None:
        self._path = path

    def cost_of(self, work: Work) -> Cost:
        cost = Cost()

        def count(event: dict[str, Any]) -> None:
            cost.add(event["sql"], event["stmt_status"]["SQLITE_STMTSTATUS_VM_STEP"])

        with closing(connect(self._path)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.trace_v2(apsw.SQLITE_TRACE_PROFILE, count)
            work(SqliteTransaction(connection))
            connection.trace_v2(0, None)
            connection.execute("ROLLBACK")
        return cost

    def keep(self, work: Work) -> None:
        with closing(connect(self._path)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            work(SqliteTransaction(connection))
            connection.execute("COMMIT")

    def analyzed(self) -> SqliteMeter:
        path = self._path.with_suffix(".analyzed.db")
        with closing(connect(self._path)) as connection:
            connection.execute("VACUUM INTO ?", (str(path),))
        with closing(connect(path)) as connection:
            connection.execute("ANALYZE")
        return SqliteMeter(path)


class PostgresMeter:
    def __init__(self, url: str) -> None:
        self._url = url

    def cost_of(self, work: Work) -> Cost:
        cost = Cost()
        with psycopg.connect(self._url, context=ADAPTERS) as connection:
            connection.execute("SET enable_seqscan = off")  # as the program does
            work(_Explained(connection, cost))
            connection.rollback()
        return cost

    def keep(self, work: Work) -> None:
        with psycopg.connect(self._url, context=ADAPTERS) as connection:
            tx = PostgresTransaction(connection)
            work(tx)
            schema.advance_sequences(tx)
            connection.commit()

    def analyzed(self) -> PostgresMeter:
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
        return self


class _Explained(PostgresTransaction):
    """A transaction that runs each statement twice: for its plan, which is undone, and for its result."""

    __slots__ = ("_cost",)

    def __init__(self, connection: psycopg.Connection, cost: Cost) -> None:
        super().__init__(connection)
        self._cost = cost

    def run_each(self, sql: str, rows: Iterable[Mapping[str, Any]]) -> None:
        for row in rows:
            self._execute(sql, dict(row))

    def _execute(self, sql: str, values: dict[str, Any]) -> psycopg.Cursor:
        with _undone(self._connection):
            (plan,) = super()._execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", values).fetchone() or ([],)
        self._cost.add(sql, sum(_rows(part["Plan"]) for part in plan))
        return super()._execute(sql, values)


@contextmanager
def _undone(connection: psycopg.Connection) -> Any:
    with connection.transaction(force_rollback=True):
        yield


def _rows(step: dict[str, Any]) -> int:
    """The rows that a step and those below it return and drop."""
    dropped = sum(number for name, number in step.items() if name.startswith("Rows Removed by"))
    own = (step["Actual Rows"] + dropped) * step["Actual Loops"]
    return int(own) + sum(_rows(below) for below in step.get("Plans", []))
