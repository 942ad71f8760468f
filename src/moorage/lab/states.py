"""States of a registry: the rows of all tables, with links to the blobs, kept in order to return to them.

A state is restored by one transaction, as any other change, so caches notice it. Blobs have keys that are never used
twice: those of a state stay as links to the same bytes, whatever is deleted meanwhile.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from moorage.metadata.database import Transaction
from moorage.metadata.migration import tables
from moorage.metadata.migration.tables import Row, Table

MOST_STATES: Final = 16
MOST_ROWS: Final = 500_000
_REVISION: Final = "rules"
"""The table that counts changes of access data. Its number must never return to an earlier one."""


class TooLarge(Exception):
    """The registry has too many rows to be kept in memory."""


@dataclass(frozen=True, slots=True)
class State:
    """The rows of all tables, and the keys of the blobs that they name."""

    rows: dict[str, list[Row]]
    keys: frozenset[str]

    @property
    def size(self) -> int:
        return sum(len(rows) for rows in self.rows.values())


def read(tx: Transaction) -> State:
    """The state of the registry. Raises TooLarge."""
    rows: dict[str, list[Row]] = {}
    left = MOST_ROWS
    for table in _restored():
        rows[table.name] = tables.first_rows(tx, table, left + 1)
        left -= len(rows[table.name])
        if left < 0:
            raise TooLarge(f"a state has at most {MOST_ROWS} rows")
    return State(rows, frozenset(blob_keys(tx)))


def blob_keys(tx: Transaction) -> list[str]:
    return [row[0] for row in tx.all("SELECT storage_key FROM blob")]


def restore(tx: Transaction, state: State) -> list[str]:
    """Replace all rows by those of a state; returns the keys of blobs that no row names any more."""
    unneeded = set(blob_keys(tx)) - state.keys
    restored = _restored()
    for table in reversed(restored):
        tables.clear(tx, table)
    for table in restored:
        if state.rows[table.name]:
            tables.insert(tx, table, state.rows[table.name])
    return sorted(unneeded)


def _restored() -> list[Table]:
    return [table for table in tables.tables() if table.name != _REVISION]


class Links:
    """A folder with links to the blobs of states, on the file system of the blobs below `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folder = root / "lab"
        shutil.rmtree(self._folder, ignore_errors=True)

    def keep(self, name: str, keys: Collection[str]) -> None:
        """Link the blobs with these keys under the name of a state. Raises OSError."""
        folder = self._folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, mode=0o700)
        for key in keys:
            try:
                os.link(self._root / key, folder / _name_of(key))
            except FileNotFoundError:  # The registry does not have the bytes either.
                continue

    def bring_back(self, name: str, keys: Collection[str]) -> None:
        """Link the blobs of a state into their places, where they were deleted. Raises OSError."""
        for key in keys:
            place = self._root / key
            if place.exists():
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(self._folder / name / _name_of(key), place)
            except FileNotFoundError:
                continue


def _name_of(key: str) -> str:
    """The end of a key, which is unique."""
    return key.rpartition("/")[2]
