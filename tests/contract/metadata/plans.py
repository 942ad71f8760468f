"""The plans of statements on both engines."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from moorage.metadata.database import Transaction
from moorage.metadata.engines.engine import Engine
from moorage.metadata.engines.postgres.engine import PostgresEngine


class Recorded:
    """A transaction that remembers its statements."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self.statements: list[tuple[str, dict[str, Any]]] = []

    def one(self, sql: str, **values: Any) -> tuple[Any, ...] | None:
        self.statements.append((sql, values))
        return self._tx.one(sql, **values)

    def all(self, sql: str, **values: Any) -> list[tuple[Any, ...]]:
        self.statements.append((sql, values))
        return self._tx.all(sql, **values)

    def run(self, sql: str, **values: Any) -> int:
        self.statements.append((sql, values))
        return self._tx.run(sql, **values)

    def run_each(self, sql: str, rows: Iterable[Mapping[str, Any]]) -> None:
        self._tx.run_each(sql, rows)

    def fill(self, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        self._tx.fill(table, columns, rows)

    def insert(self, sql: str, **values: Any) -> int:
        return self._tx.insert(sql, **values)

    def insert_all(self, statements: Sequence[str], **values: Any) -> list[int | None]:
        return self._tx.insert_all(statements, **values)


def plans_of(engine: Engine, statements: Callable[[Transaction], object]) -> list[str]:
    """The plans of the statements that a function runs: a line for each step on SQLite, for each plan on PostgreSQL."""

    def plans(tx: Transaction) -> list[str]:
        recorded = Recorded(tx)
        statements(recorded)
        if isinstance(engine, PostgresEngine):
            tx.run("SET LOCAL enable_seqscan = off")  # With few rows, reading the whole table would be cheaper.
            tx.run("SET LOCAL enable_bitmapscan = off")
            return [json.dumps(tx.one(f"EXPLAIN (FORMAT JSON) {sql}", **values)) for sql, values in recorded.statements]
        return [row[3] for sql, values in recorded.statements for row in tx.all(f"EXPLAIN QUERY PLAN {sql}", **values)]

    return engine.transact(plans)


def whole_reads(plans: Sequence[str]) -> list[str]:
    """The steps that read a whole table, or a whole index of it."""
    no_table = ("SCAN CONSTANT ROW", "SCAN json_each")
    return [
        step for step in plans if "Seq Scan" in step or (step.startswith("SCAN ") and not step.startswith(no_table))
    ]
