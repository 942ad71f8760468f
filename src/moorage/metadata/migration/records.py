"""Rows of migrations: the source records its target, and the target its source and the progress."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
"""States of a source: blobs are being copied; sealed for the last step; finished."""

UNFINISHED: Final = "unfinished"
FOLLOWING: Final = "following"
COMPLETE: Final = "complete"
ABANDONED: Final = "abandoned"
"""States of a target.

One that follows has all rows of the source but for the changes in its log. One that is abandoned waits for the removal
of its copies; its source may have no record.
"""

_LOCAL_TABLES: Final[Mapping[str, str]] = {
    "changed_row": "the log of changes during the migration",
    "move": "what this side records of the migration",
    "moved_blob": "the progress of a migration to this database",
    "rules": "counts changes of this database's rows, and has a row from the start",
    "verification": "the progress of a verification of these bytes",
    "verification_finding": "what a verification of these bytes found",
    "verification_run": "the result of a verification of these bytes",
}
_STORE_TABLES: Final[Mapping[str, str]] = {
    "upload": "the bytes of open uploads are in the source's store only: clients start again",
    "fetching": "the uploads of the pull-through cache that are under way: its jobs start again",
    "upload_state": "the same, as recorded by an object store",
    "own_store": "names the source's store",
    "removed_bytes": "what the source's store has still to delete",
}
"""Tables that are not copied, with the reason. `_STORE_TABLES` are copied if both sides share a blob store."""


@dataclass(frozen=True, slots=True)
class MigrationRecord:
    """One side's record of a migration; `other` is the location of the other side."""

    role: str
    id: str
    state: str
    other: str
    began_at: int


@dataclass(frozen=True, slots=True)
class CopiedBlob:
    """A blob that was copied and compared, with its keys at the source and at the target."""

    source_key: str
    key: str
    digest: str
    size: int


def copied_tables(*, shared_store: bool) -> list[Table]:
    """All tables that are copied, each after the tables that it references."""
    excluded = _LOCAL_TABLES if shared_store else {**_LOCAL_TABLES, **_STORE_TABLES}
    return [table for table in tables() if table.name not in excluded]


def has_no_rows(tx: Transaction) -> bool:
    """Whether the tables of a registry have no rows."""
    return all(is_empty(tx, table) for table in copied_tables(shared_store=True))


def find(tx: Transaction, role: str) -> MigrationRecord | None:
    row = tx.one("SELECT role, id, state, other, began_at FROM move WHERE role = :role", role=role)
    return MigrationRecord(*row) if row else None


def is_sealed(tx: Transaction) -> bool:
    """Whether this registry is in the last step of a migration to another place, or was migrated."""
    record = find(tx, SOURCE)
    return record is not None and record.state != OPEN


def insert(tx: Transaction, record: MigrationRecord) -> None:
    tx.run(
        "INSERT INTO move (role, id, state, other, began_at) VALUES (:role, :id, :state, :other, :began_at)",
        role=record.role,
        id=record.id,
        state=record.state,
        other=record.other,
        began_at=record.began_at,
    )


def set_state(tx: Transaction, role: str, state: str) -> None:
    tx.run("UPDATE move SET state = :state WHERE role = :role", role=role, state=state)


def forget(tx: Transaction, role: str) -> None:
    tx.run("DELETE FROM move WHERE role = :role", role=role)


def require_usable(tx: Transaction) -> None:
    """Check that the registry is complete. Raises DatabaseUnusable for a target that is not."""
    record = find(tx, TARGET)
    if record is not None and record.state == ABANDONED:
        raise DatabaseUnusable(
            f"this is the target of a migration from {record.other} that was given up: run the same"
            " moorage migrate --from … --to … --abandon again to remove its copies"
        )
    if record is not None and record.state != COMPLETE:
        raise DatabaseUnusable(
            f"this is the unfinished target of a migration from {record.other}: run the same"
            " moorage migrate --from … --to … again to finish it, or with --abandon to discard it"
        )


_COPIED: Final = "SELECT m.source_key, m.storage_key, m.digest, m.size FROM moved_blob m"
_UNNAMED: Final = "NOT EXISTS (SELECT 1 FROM blob b WHERE b.storage_key = m.storage_key)"
_NEXT: Final = "ORDER BY m.source_key LIMIT :limit"


def record_blob(tx: Transaction, blob: CopiedBlob, upload: str) -> None:
    """Record a blob that was copied and compared, and delete the store's state of the upload that brought it."""
    tx.run(
        "INSERT INTO moved_blob (source_key, storage_key, digest, size) VALUES (:source, :key, :digest, :size)"
        " ON CONFLICT (source_key) DO UPDATE SET storage_key = excluded.storage_key",
        source=blob.source_key,
        key=blob.key,
        digest=blob.digest,
        size=blob.size,
    )
    upload_states.forget(tx, upload)


def forget_blobs(tx: Transaction, blobs: Iterable[CopiedBlob]) -> None:
    tx.run("DELETE FROM moved_blob WHERE source_key = ANY(:keys)", keys=[blob.source_key for blob in blobs])


def forget_all_blobs(tx: Transaction) -> None:
    tx.run("DELETE FROM moved_blob")


def copied_blobs(tx: Transaction, source_keys: Iterable[str]) -> dict[str, CopiedBlob]:
    """The copied blobs, by their keys at the source."""
    rows = tx.all(f"{_COPIED} WHERE m.source_key = ANY(:keys)", keys=list(source_keys))
    return {row[0]: CopiedBlob(*row) for row in rows}


def page_of_blobs(tx: Transaction, after: str, limit: int) -> list[CopiedBlob]:
    """At most `limit` copied blobs with source keys after `after`."""
    rows = tx.all(f"{_COPIED} WHERE m.source_key > :after {_NEXT}", after=after, limit=limit)
    return [CopiedBlob(*row) for row in rows]


def orphans_at(tx: Transaction, keys: Sequence[str]) -> list[CopiedBlob]:
    """The copied blobs with these storage keys at the target, if no row of a blob names them."""
    rows = tx.all(f"{_COPIED} WHERE m.storage_key = ANY(:keys) AND {_UNNAMED}", keys=keys)
    return [CopiedBlob(*row) for row in rows]


def orphaned_blobs(tx: Transaction, after: str, limit: int) -> list[CopiedBlob]:
    """Copied blobs without a blob row: they were deleted at the source during the migration."""
    rows = tx.all(f"{_COPIED} WHERE m.source_key > :after AND {_UNNAMED} {_NEXT}", after=after, limit=limit)
    return [CopiedBlob(*row) for row in rows]


def totals(tx: Transaction) -> tuple[int, int]:
    """The number of blobs to copy and their bytes; damaged blobs are not counted."""
    row = tx.one("SELECT count(*), coalesce(sum(size), 0) FROM blob WHERE damaged_at IS NULL")
    return (int(row[0]), int(row[1])) if row else (0, 0)
