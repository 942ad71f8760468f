"""The tables of the schema, as the migrations make them, and their rows as such: a move copies what is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from typing import Any, Final

import apsw

from moorage.metadata.database import Transaction
from moorage.metadata.migrations.scripts import schema_steps

Row = tuple[Any, ...]

_ROWS: Final = 1000
_BULKY_ROWS: Final = 32
"""Rows of a page at most. Those with bytes, manifests of up to 4 MiB among them, come in smaller ones."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of either engine. `rows` is how many of its rows are read at a time."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    rows: int

    def key_of(self, row: Row) -> Row:
        """The values of the primary key in a row."""
        return tuple(row[self.columns.index(column)] for column in self.key)


@cache
def tables() -> tuple[Table, ...]:
    """All tables, each behind those that it refers to."""
    connection = apsw.Connection(":memory:")
    try:
        for step in schema_steps():
            connection.execute(step)
        names = [
            name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1")
        ]
        references = {name: _referred(connection, name) for name in names}
        return tuple(_table(connection, name) for name in TopologicalSorter(references).static_order())
    finally:
        connection.close()


def page(tx: Transaction, table: Table, after: Row | None) -> list[Row]:
    """The next rows behind those with the key `after`, in the order of the keys, which both engines share."""
    key = ", ".join(table.key)
    beyond = f"WHERE ({key}) > ({_parameters(table.key)})" if after is not None else ""
    return tx.all(
        f"SELECT {', '.join(table.columns)} FROM {table.name} {beyond} ORDER BY {key} LIMIT :rows",
        rows=table.rows,
        **dict(zip(table.key, after or (), strict=False)),
    )


def insert(tx: Transaction, table: Table, rows: Sequence[Row]) -> None:
    """Add rows, whole and as they are."""
    tx.fill(table.name, table.columns, rows)


def clear(tx: Transaction, table: Table) -> None:
    """Remove all rows."""
    tx.run(f"DELETE FROM {table.name}")


def is_empty(tx: Transaction, table: Table) -> bool:
    return tx.one(f"SELECT 1 FROM {table.name} LIMIT 1") is None


def _parameters(names: Sequence[str]) -> str:
    return ", ".join(f":{name}" for name in names)


def _table(connection: apsw.Connection, name: str) -> Table:
    described: list[Any] = connection.execute(
        "SELECT name, type, pk FROM pragma_table_info(?) ORDER BY cid", (name,)
    ).fetchall()
    keys = sorted((place, column) for column, _, place in described if place)
    bulky = any(kind == "BLOB" for _, kind, _ in described)
    return Table(
        name,
        columns=tuple(column for column, _, _ in described),
        key=tuple(column for _, column in keys),
        rows=_BULKY_ROWS if bulky else _ROWS,
    )


def _referred(connection: apsw.Connection, name: str) -> set[str]:
    return {str(row[0]) for row in connection.execute('SELECT "table" FROM pragma_foreign_key_list(?)', (name,))}
