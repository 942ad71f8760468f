"""Rows of moves: a registry that goes to another place knows where to, and its target where from and how far it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from moorage.metadata.database import DatabaseUnusable, Transaction
from moorage.metadata.migration.tables import Table, is_empty, tables
from moorage.metadata.registry import upload_states

SOURCE: Final = "source"
TARGET: Final = "target"

OPEN: Final = "open"
SEALED: Final = "sealed"
MOVED: Final = "moved"
"""States of a source: blobs are being copied, changes are refused for the last step, and it is over."""

UNFINISHED: Final = "unfinished"
COMPLETE: Final = "complete"
"""States of a target."""

_OF_THIS_PLACE: Final[Mapping[str, str]] = {
    "move": "what this side knows of the move",
    "moved_blob": "the notes of a move to here",
    "rules": "counts changes of rows here, and exists from the first moment on",
    "verification": "how far a verification of these bytes is",
}
_OF_THE_STORE: Final[Mapping[str, str]] = {
    "upload": "bytes of uploads under way are at the source only: clients begin again",
    "upload_state": "the same, as an object store notes them",
    "removed_bytes": "what the store of the source has still to remove",
}
"""Tables whose rows stay where they are, and why; those of the second kind go along if both sides share a store."""


@dataclass(frozen=True, slots=True)
class Move:
    """What one side knows of a move; `other` is where the other side is."""

    role: str
    id: str
    state: str
    other: str
    began_at: int


@dataclass(frozen=True, slots=True)
class MovedBlob:
    """A blob that was copied and compared: the key of its bytes at the source and at the target."""

    source_key: str
    key: str
    digest: str
    size: int


def moving_tables(*, shared_store: bool) -> list[Table]:
    """All tables but those that stay, each behind those that it refers to."""
    staying = _OF_THIS_PLACE if shared_store else {**_OF_THIS_PLACE, **_OF_THE_STORE}
    return [table for table in tables() if table.name not in staying]


def holds_nothing(tx: Transaction) -> bool:
    """Whether no row of a registry is there."""
    return all(is_empty(tx, table) for table in moving_tables(shared_store=True))


def find(tx: Transaction, role: str) -> Move | None:
    row = tx.one("SELECT role, id, state, other, began_at FROM move WHERE role = :role", role=role)
    return Move(*row) if row else None


def is_sealed(tx: Transaction) -> bool:
    """Whether this registry is in the last step of a move to elsewhere, or has moved."""
    move = find(tx, SOURCE)
    return move is not None and move.state != OPEN


def begin(tx: Transaction, move: Move) -> None:
    tx.run(
        "INSERT INTO move (role, id, state, other, began_at) VALUES (:role, :id, :state, :other, :began_at)",
        role=move.role,
        id=move.id,
        state=move.state,
        other=move.other,
        began_at=move.began_at,
    )


def set_state(tx: Transaction, role: str, state: str) -> None:
    tx.run("UPDATE move SET state = :state WHERE role = :role", role=role, state=state)


def forget(tx: Transaction, role: str) -> None:
    tx.run("DELETE FROM move WHERE role = :role", role=role)


def require_usable(tx: Transaction) -> None:
    """Pass with a registry that is all there. Raises DatabaseUnusable for a target that is not complete."""
    move = find(tx, TARGET)
    if move is not None and move.state != COMPLETE:
        raise DatabaseUnusable(
            f"this is the unfinished target of a move from {move.other}: run the same moorage migrate --from … --to …"
            " again to finish it, or with --abandon to give it up"
        )


_COPIED: Final = "SELECT m.source_key, m.storage_key, m.digest, m.size FROM moved_blob m"
_NEXT: Final = "ORDER BY m.source_key LIMIT :limit"


def note_blob(tx: Transaction, blob: MovedBlob, upload: str) -> None:
    """A blob is there and was compared; what its store noted of the upload that brought it may go."""
    tx.run(
        "INSERT INTO moved_blob (source_key, storage_key, digest, size) VALUES (:source, :key, :digest, :size)"
        " ON CONFLICT (source_key) DO UPDATE SET storage_key = excluded.storage_key",
        source=blob.source_key,
        key=blob.key,
        digest=blob.digest,
        size=blob.size,
    )
    upload_states.forget(tx, upload)


def forget_these(tx: Transaction, blobs: Iterable[MovedBlob]) -> None:
    tx.run("DELETE FROM moved_blob WHERE source_key = ANY(:keys)", keys=[blob.source_key for blob in blobs])


def forget_blobs(tx: Transaction) -> None:
    tx.run("DELETE FROM moved_blob")


def moved_blobs(tx: Transaction, source_keys: Iterable[str]) -> dict[str, MovedBlob]:
    """Those that were copied, by their keys at the source."""
    rows = tx.all(f"{_COPIED} WHERE m.source_key = ANY(:keys)", keys=list(source_keys))
    return {row[0]: MovedBlob(*row) for row in rows}


def every_moved_blob(tx: Transaction, after: str, limit: int) -> list[MovedBlob]:
    """At most `limit` of those that were copied, behind a key at the source."""
    rows = tx.all(f"{_COPIED} WHERE m.source_key > :after {_NEXT}", after=after, limit=limit)
    return [MovedBlob(*row) for row in rows]


def unnamed_blobs(tx: Transaction, after: str, limit: int) -> list[MovedBlob]:
    """Those of them that no row names: they were removed at the source while the move went on."""
    unnamed = "NOT EXISTS (SELECT 1 FROM blob b WHERE b.storage_key = m.storage_key)"
    rows = tx.all(f"{_COPIED} WHERE m.source_key > :after AND {unnamed} {_NEXT}", after=after, limit=limit)
    return [MovedBlob(*row) for row in rows]


def totals(tx: Transaction) -> tuple[int, int]:
    """How many blobs there are to move, and how many bytes; those that were found damaged have none."""
    row = tx.one("SELECT count(*), coalesce(sum(size), 0) FROM blob WHERE damaged_at IS NULL")
    return (int(row[0]), int(row[1])) if row else (0, 0)
