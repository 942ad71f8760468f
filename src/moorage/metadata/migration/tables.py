"""The tables of the schema, read from the schema steps, and generic access to their rows for a migration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from typing import Any, Final

import apsw

from moorage.domain.batches import batches
from moorage.metadata.database import Transaction
from moorage.metadata.migrations.scripts import schema_steps

Row = tuple[Any, ...]

_PAGE_ROWS: Final = 1000
_BULKY_PAGE_ROWS: Final = 32
"""Maximum rows per page; fewer for tables with bytes, such as manifests of up to 4 MiB."""

_STATEMENT_KEYS: Final = 250
"""Keys that one statement names: SQLite allows 32,766 parameters, and tables have up to four key columns."""

_BULKY_TEXT: Final = "image_annotations"
"""A table without bytes whose rows can have 4 MiB of text."""


@dataclass(frozen=True, slots=True)
class UniqueIndex:
    """A unique index besides the primary key: another row can get a value that this row had.

    `columns` decide whether a row is in it, and where. `text` is one of them that refers to no other table.
    """

    columns: frozenset[str]
    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table, the same in both engines. `rows` is the number of rows per page."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    rows: int
    unique: tuple[UniqueIndex, ...]

    def key_of(self, row: Row) -> Row:
        """The primary key of a row."""
        return tuple(row[self.columns.index(column)] for column in self.key)

    def value_of(self, row: Row, column: str) -> Any:
        return row[self.columns.index(column)]


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


def first_rows(tx: Transaction, table: Table, limit: int) -> list[Row]:
    """At most so many rows, in no order."""
    return tx.all(f"SELECT {', '.join(table.columns)} FROM {table.name} LIMIT :limit", limit=limit)


def rows_of(tx: Transaction, table: Table, keys: Sequence[Row]) -> dict[Row, Row]:
    """The rows with these keys, by key."""
    found: dict[Row, Row] = {}
    for part in batches(keys, min(table.rows, _STATEMENT_KEYS)):
        names = [[f"{column}_{number}" for column in table.key] for number in range(len(part))]
        values = {
            name: value for row, key in zip(names, part, strict=True) for name, value in zip(row, key, strict=True)
        }
        places = ", ".join(f"({_parameters(row)})" for row in names)
        rows = tx.all(
            f"SELECT {', '.join(table.columns)} FROM {table.name} WHERE ({', '.join(table.key)}) IN (VALUES {places})",
            **values,
        )
        found.update((table.key_of(row), row) for row in rows)
    return found


def insert(tx: Transaction, table: Table, rows: Sequence[Row]) -> None:
    """Insert complete rows unchanged."""
    tx.fill(table.name, table.columns, rows)


def update(tx: Transaction, table: Table, rows: Sequence[Row]) -> None:
    """Give the rows with the same keys these values."""
    others = [column for column in table.columns if column not in table.key]
    if others:
        given = ", ".join(f"{column} = :{column}" for column in others)
        values = [dict(zip(table.columns, row, strict=True)) for row in rows]
        tx.run_each(f"UPDATE {table.name} SET {given} WHERE {_is_key(table)}", values)


def delete(tx: Transaction, table: Table, keys: Sequence[Row]) -> None:
    """Delete the rows with these keys, with those that refer to them if the schema says so."""
    tx.run_each(f"DELETE FROM {table.name} WHERE {_is_key(table)}", [_key_values(table, key) for key in keys])


def set_apart(tx: Transaction, table: Table, keys: Sequence[Row]) -> None:
    """Give these rows values that no other row has in any unique index, so that others can get theirs."""
    given = ", ".join(sorted({f"{index.text} = :apart" for index in table.unique}))
    values = [{**_key_values(table, key), "apart": f"moving {key}"} for key in keys]
    tx.run_each(f"UPDATE {table.name} SET {given} WHERE {_is_key(table)}", values)


def clear(tx: Transaction, table: Table) -> None:
    """Delete all rows."""
    tx.run(f"DELETE FROM {table.name}")


def is_empty(tx: Transaction, table: Table) -> bool:
    return tx.one(f"SELECT 1 FROM {table.name} LIMIT 1") is None


def _parameters(names: Sequence[str]) -> str:
    return ", ".join(f":{name}" for name in names)


def _is_key(table: Table) -> str:
    return " AND ".join(f"{column} = :{column}" for column in table.key)


def _key_values(table: Table, key: Row) -> dict[str, Any]:
    return dict(zip(table.key, key, strict=True))


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
        unique=tuple(_unique_indexes(connection, name, {column: kind for column, kind, _ in described})),
    )


def _unique_indexes(connection: apsw.Connection, name: str, kinds: dict[str, str]) -> Iterator[UniqueIndex]:
    references = {row[0] for row in connection.execute('SELECT "from" FROM pragma_foreign_key_list(?)', (name,))}
    indexes: list[Any] = connection.execute(
        "SELECT name, partial FROM pragma_index_list(?) WHERE \"unique\" AND origin <> 'pk' ORDER BY name", (name,)
    ).fetchall()
    for index, is_partial in indexes:
        columns = [row[0] for row in connection.execute("SELECT name FROM pragma_index_info(?)", (index,))]
        text = next(column for column in columns if kinds[column] == "TEXT" and column not in references)
        # Any column can decide whether a partial index has the row.
        yield UniqueIndex(frozenset(kinds if is_partial else columns), text)


def _referred(connection: apsw.Connection, name: str) -> set[str]:
    return {str(row[0]) for row in connection.execute('SELECT "table" FROM pragma_foreign_key_list(?)', (name,))}
