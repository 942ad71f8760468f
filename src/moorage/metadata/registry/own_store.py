"""Rows for the registry's own blob store: its marker, and blobs to look for in it."""

from __future__ import annotations

from dataclasses import dataclass

from moorage.metadata.database import Transaction


@dataclass(frozen=True, slots=True)
class OwnStoreRecord:
    """The marker of the own store, and its place as the settings name it. `is_marked` once the store has the marker."""

    marker: str
    place: str
    is_marked: bool


def find(tx: Transaction) -> OwnStoreRecord | None:
    row = tx.one("SELECT marker, place, is_marked FROM own_store")
    return OwnStoreRecord(row[0], row[1], bool(row[2])) if row else None


def insert(tx: Transaction, marker: str, place: str) -> OwnStoreRecord:
    """Record a store whose marker is not written yet. Returns the existing record if another process was faster."""
    found = find(tx)
    if found is not None:
        return found
    tx.run(
        "INSERT INTO own_store (id, marker, place, is_marked) VALUES (1, :marker, :place, 0)",
        marker=marker,
        place=place,
    )
    return OwnStoreRecord(marker, place, is_marked=False)


def set_marked(tx: Transaction) -> None:
    tx.run("UPDATE own_store SET is_marked = 1")


def forget(tx: Transaction) -> None:
    tx.run("DELETE FROM own_store")


def newest_keys(tx: Transaction, limit: int) -> list[str]:
    """The storage keys of the newest blobs that are not known to be damaged."""
    rows = tx.all(
        "SELECT storage_key FROM blob WHERE damaged_at IS NULL ORDER BY id DESC LIMIT :limit",
        limit=limit,
    )
    return [row[0] for row in rows]
