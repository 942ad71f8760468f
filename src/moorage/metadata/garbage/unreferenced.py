"""Unreferenced rows: found in slices without locks, and deleted after a second check under a lock.

A slice reads a bounded number of rows in the order of their keys, so the search never blocks other work.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from moorage.metadata.database import LARGEST_INTEGER, Transaction

BLOB: Final = "blob"
UPLOAD: Final = "upload"
"""Kinds of a row in `removed_bytes`: a storage key, or an upload that has bytes."""


@dataclass(frozen=True, slots=True)
class UnreferencedLayer:
    """A layer of a repository that no image of the repository references."""

    repository_id: int
    blob_id: int
    repository: str
    digest: str
    size: int
    reported_at: int


@dataclass(frozen=True, slots=True)
class UnreferencedBlob:
    """A blob that no repository references."""

    id: int
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class ExpiredUpload:
    """An upload that is too old to be continued."""

    id: str
    repository: str
    size: int
    created_at: int


@dataclass(frozen=True, slots=True)
class PendingRemoval:
    """Bytes that the blob store has to delete. `name` is a storage key or an upload id."""

    name: str
    kind: str
    digest: str | None
    size: int


@dataclass(frozen=True, slots=True)
class GraceThresholds:
    """The grace period is over for layers last reported, and for images deleted, before these times.

    A report later than `latest` was made while the clock was ahead.
    """

    reported_at: int
    deleted_at: int
    latest: int


# --- Finding ----------------------------------------------------------------------------------------------------

_KEPT: Final = """
    EXISTS (SELECT 1 FROM image_layer i WHERE i.blob_id = l.blob_id AND i.repository_id = l.repository_id)
    OR EXISTS (
        SELECT 1 FROM removed_layer x JOIN removed_image r ON r.id = x.removed_id
        WHERE x.blob_id = l.blob_id AND x.repository_id = l.repository_id AND r.removed_at >= :deleted
    )
"""
"""Condition on a row `l` of repository_layer: an image of the repository or a deleted image still needs it."""

_UNREFERENCED_LAYERS: Final = f"""
SELECT l.repository_id, l.blob_id, r.name, b.digest, b.size, l.told_at
FROM repository_layer l JOIN repository r ON r.id = l.repository_id JOIN blob b ON b.id = l.blob_id
WHERE l.blob_id > :after AND l.blob_id <= :last AND (l.told_at < :reported OR l.told_at > :latest) AND NOT ({_KEPT})
ORDER BY l.blob_id, l.repository_id
"""
"""In the order of the blobs, because the references are indexed by blob: neighbours are on the same pages."""

_UNREFERENCED_BLOBS: Final = f"""
SELECT b.id, b.digest, b.size FROM blob b
WHERE b.id > :after AND b.id <= :last
AND NOT (
    EXISTS (SELECT 1 FROM image_layer i WHERE i.blob_id = b.id)
    OR EXISTS (SELECT 1 FROM repository_layer l WHERE l.blob_id = b.id AND (l.told_at >= :reported OR {_KEPT}))
    OR EXISTS (
        SELECT 1 FROM removed_layer x JOIN removed_image r ON r.id = x.removed_id
        WHERE x.blob_id = b.id AND r.removed_at >= :deleted
    )
)
ORDER BY b.id
"""
"""Tests first what almost every blob has, an image. The single condition keeps PostgreSQL from joining whole tables."""


def unreferenced_layers(
    tx: Transaction, after: int, before: GraceThresholds, rows: int
) -> tuple[list[UnreferencedLayer], int | None]:
    """The unreferenced of about `rows` layers after the blob id `after`, and where to continue; None at the end."""
    last = tx.one(
        "SELECT blob_id FROM repository_layer WHERE blob_id > :after ORDER BY blob_id LIMIT 1 OFFSET :skipped",
        after=after,
        skipped=rows - 1,
    )
    end = last[0] if last else LARGEST_INTEGER
    times = {"reported": before.reported_at, "deleted": before.deleted_at, "latest": before.latest}
    found = tx.all(_UNREFERENCED_LAYERS, after=after, last=end, **times)
    return [UnreferencedLayer(*row) for row in found], end if last else None


def unreferenced_blobs(
    tx: Transaction, after: int, before: GraceThresholds, rows: int
) -> tuple[list[UnreferencedBlob], int | None]:
    """The unreferenced of the `rows` blobs after the id `after`, and where to continue; None at the end."""
    last = tx.one(
        "SELECT id FROM blob WHERE id > :after ORDER BY id LIMIT 1 OFFSET :skipped", after=after, skipped=rows - 1
    )
    end = last[0] if last else LARGEST_INTEGER
    found = tx.all(_UNREFERENCED_BLOBS, after=after, last=end, reported=before.reported_at, deleted=before.deleted_at)
    return [UnreferencedBlob(*row) for row in found], end if last else None


def expired_uploads(tx: Transaction, after: str, before: int, limit: int) -> tuple[list[ExpiredUpload], str | None]:
    """At most `limit` uploads started before `before`, with ids after `after`, and where to continue, or None."""
    rows = tx.all(
        "SELECT u.id, r.name, u.size + u.kept, u.created_at FROM upload u JOIN repository r ON r.id = u.repository_id"
        " WHERE u.id > :after AND u.created_at < :before ORDER BY u.id LIMIT :limit",
        after=after,
        before=before,
        limit=limit,
    )
    return [ExpiredUpload(*row) for row in rows], rows[-1][0] if len(rows) == limit else None


# --- Removing ---------------------------------------------------------------------------------------------------


def unlink(tx: Transaction, layer: UnreferencedLayer, before: GraceThresholds) -> bool:
    """Make the layer invisible to the repository, if it is still unreferenced.

    If it was reported while the clock was ahead, its grace period starts now instead.
    The row is locked first; a transaction that is about to reference the layer holds that lock (docs/decisions/0017).
    """
    values: dict[str, Any] = {"repository": layer.repository_id, "blob": layer.blob_id}
    row = tx.one(
        "SELECT told_at FROM repository_layer WHERE repository_id = :repository AND blob_id = :blob FOR UPDATE",
        **values,
    )
    if row is not None and row[0] > before.latest:
        _limit_report(tx, values, before.latest)
    if row is None or row[0] >= before.reported_at:
        return False
    kept = f"SELECT 1 FROM repository_layer l WHERE repository_id = :repository AND blob_id = :blob AND ({_KEPT})"
    if tx.one(kept, deleted=before.deleted_at, **values) is not None:
        return False
    return bool(tx.run("DELETE FROM repository_layer WHERE repository_id = :repository AND blob_id = :blob", **values))


def _limit_report(tx: Transaction, layer: dict[str, Any], latest: int) -> None:
    tx.run(
        "UPDATE repository_layer SET told_at = :latest WHERE repository_id = :repository AND blob_id = :blob",
        latest=latest,
        **layer,
    )


_REFERENCES: Final = """
SELECT 1 FROM repository_layer WHERE blob_id = :blob
UNION ALL SELECT 1 FROM image_layer WHERE blob_id = :blob
UNION ALL SELECT 1 FROM removed_layer WHERE blob_id = :blob
LIMIT 1
"""


def remove_blob(tx: Transaction, blob: UnreferencedBlob, due_at: int) -> bool:
    """Delete a blob's row if nothing references the blob, and queue its bytes for deletion from `due_at` on."""
    row = tx.one("SELECT digest, size, storage_key FROM blob WHERE id = :blob FOR UPDATE", blob=blob.id)
    if row is None or row[0] != blob.digest or tx.one(_REFERENCES, blob=blob.id) is not None:
        return False
    tx.run("DELETE FROM blob WHERE id = :blob", blob=blob.id)
    queue_removal(tx, PendingRemoval(row[2], BLOB, row[0], row[1]), due_at)
    return True


def remove_upload(tx: Transaction, upload: ExpiredUpload, due_at: int) -> bool:
    """Delete an upload and queue its bytes for deletion. False when it has ended meanwhile."""
    if not tx.run("DELETE FROM upload WHERE id = :id", id=upload.id):
        return False
    queue_removal(tx, PendingRemoval(upload.id, UPLOAD, None, upload.size), due_at)
    return True


def delete_finished_uploads(tx: Transaction, before: int) -> int:
    """Delete the records of uploads that finished before then; returns how many."""
    return tx.run("DELETE FROM finished_upload WHERE finished_at < :before", before=before)


# --- Bytes ------------------------------------------------------------------------------------------------------


def queue_removal(tx: Transaction, removal: PendingRemoval, due_at: int) -> None:
    """Queue bytes for deletion, in the transaction that deletes the row which named them."""
    tx.run(
        "INSERT INTO removed_bytes (name, kind, digest, size, due_at) VALUES (:name, :kind, :digest, :size, :due)"
        " ON CONFLICT DO NOTHING",
        name=removal.name,
        kind=removal.kind,
        digest=removal.digest,
        size=removal.size,
        due=due_at,
    )


def due_removals(tx: Transaction, after: str, now: int, limit: int) -> tuple[list[PendingRemoval], str | None]:
    """At most `limit` removals that are due, with names after `after`, and where to continue, or None."""
    rows = tx.all(
        "SELECT name, kind, digest, size FROM removed_bytes WHERE name > :after AND due_at <= :now"
        " ORDER BY name LIMIT :limit",
        after=after,
        now=now,
        limit=limit,
    )
    return [PendingRemoval(*row) for row in rows], rows[-1][0] if len(rows) == limit else None


def finish_removals(tx: Transaction, done: list[PendingRemoval]) -> None:
    """Remove these from the queue: the blob store has deleted their bytes."""
    for removal in done:
        tx.run("DELETE FROM removed_bytes WHERE name = :name", name=removal.name)
