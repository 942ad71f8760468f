"""The tables of the schema, read from the schema steps, and generic access to their rows for a migration."""

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

_PAGE_ROWS: Final = 1000
_BULKY_PAGE_ROWS: Final = 32
"""Maximum rows per page; fewer for tables with bytes, such as manifests of up to 4 MiB."""

_BULKY_TEXT: Final = "image_annotations"
"""A table without bytes whose rows can have 4 MiB of text."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table, the same in both engines. `rows` is the number of rows per page."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    rows: int

    def key_of(self, row: Row) -> Row:
        """The primary key of a row."""
        return tuple(row[self.columns.index(column)] for column in self.key)


@cache
def tables() -> tuple[Table, ...]:
    """All tables, each after the tables that it references."""
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
    """The next rows after the key `after`, in key order, which is the same in both engines."""
    key = ", ".join(table.key)
    beyond = f"WHERE ({key}) > ({_parameters(table.key)})" if after is not None else ""
    return tx.all(
        f"SELECT {', '.join(table.columns)} FROM {table.name} {beyond} ORDER BY {key} LIMIT :rows",
        rows=table.rows,
        **dict(zip(table.key, after or (), strict=False)),
    )


def insert(tx: Transaction, table: Table, rows: Sequence[Row]) -> None:
    """Insert complete rows unchanged."""
    tx.fill(table.name, table.columns, rows)


def clear(tx: Transaction, table: Table) -> None:
    """Delete all rows."""
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
    bulky = name == _BULKY_TEXT or any(kind == "BLOB" for _, kind, _ in described)
    return Table(
        name,
        columns=tuple(column for column, _, _ in described),
        key=tuple(column for _, column in keys),
        rows=_BULKY_PAGE_ROWS if bulky else _PAGE_ROWS,
    )


def _referred(connection: apsw.Connection, name: str) -> set[str]:
    return {str(row[0]) for row in connection.execute('SELECT "table" FROM pragma_foreign_key_list(?)', (name,))}
