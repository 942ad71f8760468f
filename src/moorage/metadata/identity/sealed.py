"""All secrets that are encrypted with the master key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from moorage.metadata.database import Transaction

SEALED: Final = (
    ("access_key", "sealed_secret"),
    ("webhook", "sealed_secret"),
    ("secret_version", "sealed_secret"),
    ("replication_destination", "sealed_secret"),
    ("signing_root", "sealed_key"),
    ("signing_profile", "sealed_key"),
    ("console_session", "sealed_token"),
)
"""The tables and columns with encrypted secrets. The id of a row is the context that its secret is sealed for."""

_PAGE_ROWS: Final = 200
"""Rows in memory at a time: a value of Secrets Manager can have 64 KiB."""


def replace_all(tx: Transaction, seal_again: Callable[[bytes, str], bytes]) -> int:
    """Replace each encrypted secret by the result of `seal_again` for it and its context; returns how many."""
    count = 0
    for table, column in SEALED:
        for rows in _pages(tx, table, column):
            tx.run_each(
                f"UPDATE {table} SET {column} = :sealed WHERE id = :id",
                [{"id": row[0], "sealed": seal_again(bytes(row[1]), row[0])} for row in rows],
            )
            count += len(rows)
    return count


def _pages(tx: Transaction, table: str, column: str) -> Iterator[list[tuple[Any, ...]]]:
    after = ""
    while rows := tx.all(
        f"SELECT id, {column} FROM {table} WHERE id > :after AND {column} IS NOT NULL ORDER BY id LIMIT {_PAGE_ROWS}",
        after=after,
    ):
        yield rows
        after = rows[-1][0]
