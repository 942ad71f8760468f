"""Rows of the log of changes during a migration, which triggers write (`metadata/engines/change_log.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from moorage.metadata.database import Transaction
from moorage.metadata.migration.tables import Row, Table


class Change(NamedTuple):
    """An entry of the log: the key that a row had before or after a change."""

    id: int
    key: Row


def changed_tables(tx: Transaction) -> set[str]:
    """The names of the tables with changes."""
    return {row[0] for row in tx.all("SELECT DISTINCT table_name FROM changed_row")}


def page(tx: Transaction, table: Table, after: int) -> list[Change]:
    """The next changes of a table after the entry `after`, as many as the table has rows per page."""
    rows = tx.all(
        "SELECT id, row_key FROM changed_row WHERE table_name = :name AND id > :after ORDER BY id LIMIT :rows",
        name=table.name,
        after=after,
        rows=table.rows,
    )
    return [Change(row[0], tuple(msgspec.json.decode(row[1]))) for row in rows]


def forget(tx: Transaction, ids: Sequence[int]) -> None:
    """Remove entries that were copied."""
    tx.run("DELETE FROM changed_row WHERE id = ANY(:ids)", ids=ids)
