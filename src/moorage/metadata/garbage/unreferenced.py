"""Rows that nothing needs any more: found in slices without a lock, removed after a second look under one.

A slice reads a bounded number of rows in the order of their keys, so that finding all of it never holds anything up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from moorage.metadata.database import Transaction

BLOB: Final = "blob"
UPLOAD: Final = "upload"
"""What `removed_bytes` names: a storage key, or an upload that has bytes."""


@dataclass(frozen=True, slots=True)
class UnneededLayer:
    """A layer of a repository that no image of it needs."""

    repository_id: int
    blob_id: int
    repository: str
    digest: str
    size: int
    reported_at: int


@dataclass(frozen=True, slots=True)
class UnneededBlob:
    """A blob that no repository needs."""

    id: int
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class OldUpload:
    """An upload that can go on no more."""

    id: str
    repository: str
    size: int
    created_at: int


@dataclass(frozen=True, slots=True)
class RemovedBytes:
    """What the store is to remove: `name` is a storage key, or an upload's id."""

    name: str
    kind: str
    digest: str | None
    size: int


@dataclass(frozen=True, slots=True)
class Cutoff:
    """Ends of grace periods: of layers that were told of, and of images that were removed, before these times."""

    told: int
    removed: int


# --- Finding ----------------------------------------------------------------------------------------------------

_KEPT: Final = """
    EXISTS (SELECT 1 FROM image_layer i WHERE i.blob_id = l.blob_id AND i.repository_id = l.repository_id)
    OR EXISTS (
        SELECT 1 FROM removed_layer x JOIN removed_image r ON r.id = x.removed_id
        WHERE x.blob_id = l.blob_id AND x.repository_id = l.repository_id AND r.removed_at >= :removed
    )
"""
"""Of a row `l` of repository_layer: an image of the repository needs it, or one that can come back."""

_UNNEEDED_LAYERS: Final = f"""
SELECT l.repository_id, l.blob_id, r.name, b.digest, b.size, l.told_at
FROM repository_layer l JOIN repository r ON r.id = l.repository_id JOIN blob b ON b.id = l.blob_id
WHERE l.blob_id > :after AND l.blob_id <= :last AND l.told_at < :told AND NOT ({_KEPT})
ORDER BY l.blob_id, l.repository_id
"""
"""In the order of blobs, since what needs them is indexed so: neighbours are found on the same pages."""

_UNNEEDED_BLOBS: Final = f"""
SELECT b.id, b.digest, b.size FROM blob b
WHERE b.id > :after AND b.id <= :last
AND NOT (
    EXISTS (SELECT 1 FROM image_layer i WHERE i.blob_id = b.id)
    OR EXISTS (SELECT 1 FROM repository_layer l WHERE l.blob_id = b.id AND (l.told_at >= :told OR {_KEPT}))
    OR EXISTS (
        SELECT 1 FROM removed_layer x JOIN removed_image r ON r.id = x.removed_id
        WHERE x.blob_id = b.id AND r.removed_at >= :removed
    )
)
ORDER BY b.id
"""
"""First what almost every blob has, an image; and one condition, which PostgreSQL does not make a join of tables of."""


def unneeded_layers(tx: Transaction, after: int, before: Cutoff, rows: int) -> tuple[list[UnneededLayer], int | None]:
    """Those among some `rows` layers of blobs behind the id `after`, and where to go on; None at the end."""
    last = tx.one(
        "SELECT blob_id FROM repository_layer WHERE blob_id > :after ORDER BY blob_id LIMIT 1 OFFSET :skipped",
        after=after,
        skipped=rows - 1,
    )
    end = last[0] if last else _MOST
    found = tx.all(_UNNEEDED_LAYERS, after=after, last=end, told=before.told, removed=before.removed)
    return [UnneededLayer(*row) for row in found], end if last else None


def unneeded_blobs(tx: Transaction, after: int, before: Cutoff, rows: int) -> tuple[list[UnneededBlob], int | None]:
    """Those among the `rows` blobs behind the id `after`, and where to go on; None at the end."""
    last = tx.one(
        "SELECT id FROM blob WHERE id > :after ORDER BY id LIMIT 1 OFFSET :skipped", after=after, skipped=rows - 1
    )
    end = last[0] if last else _MOST
    found = tx.all(_UNNEEDED_BLOBS, after=after, last=end, told=before.told, removed=before.removed)
    return [UnneededBlob(*row) for row in found], end if last else None


_MOST: Final = 2**63 - 1


def old_uploads(tx: Transaction, after: str, before: int, limit: int) -> tuple[list[OldUpload], str | None]:
    """At most `limit` uploads that began before then, with ids behind `after`; and where to go on, or None."""
    rows = tx.all(
        "SELECT u.id, r.name, u.size, u.created_at FROM upload u JOIN repository r ON r.id = u.repository_id"
        " WHERE u.id > :after AND u.created_at < :before ORDER BY u.id LIMIT :limit",
        after=after,
        before=before,
        limit=limit,
    )
    return [OldUpload(*row) for row in rows], rows[-1][0] if len(rows) == limit else None


# --- Removing ---------------------------------------------------------------------------------------------------


def unlink(tx: Transaction, layer: UnneededLayer, before: Cutoff) -> bool:
    """Let the repository see the layer no more, if that still holds which made it unneeded.

    The row is locked first: whoever is about to refer to it holds it until it does (docs/decisions/0017).
    """
    this: dict[str, Any] = {"repository": layer.repository_id, "blob": layer.blob_id}
    row = tx.one(
        "SELECT told_at FROM repository_layer WHERE repository_id = :repository AND blob_id = :blob FOR UPDATE", **this
    )
    if row is None or row[0] >= before.told:
        return False
    kept = f"SELECT 1 FROM repository_layer l WHERE repository_id = :repository AND blob_id = :blob AND ({_KEPT})"
    if tx.one(kept, removed=before.removed, **this) is not None:
        return False
    return bool(tx.run("DELETE FROM repository_layer WHERE repository_id = :repository AND blob_id = :blob", **this))


_HOLDERS: Final = """
SELECT 1 FROM repository_layer WHERE blob_id = :blob
UNION ALL SELECT 1 FROM image_layer WHERE blob_id = :blob
UNION ALL SELECT 1 FROM removed_layer WHERE blob_id = :blob
LIMIT 1
"""


def remove_blob(tx: Transaction, blob: UnneededBlob, due_at: int) -> bool:
    """Remove a blob's row if nothing at all holds it, and leave its bytes to be removed from `due_at` on."""
    row = tx.one("SELECT digest, size, storage_key FROM blob WHERE id = :blob FOR UPDATE", blob=blob.id)
    if row is None or row[0] != blob.digest or tx.one(_HOLDERS, blob=blob.id) is not None:
        return False
    tx.run("DELETE FROM blob WHERE id = :blob", blob=blob.id)
    leave_bytes(tx, RemovedBytes(row[2], BLOB, row[0], row[1]), due_at)
    return True


def remove_upload(tx: Transaction, upload: OldUpload, due_at: int) -> bool:
    """End an upload, and leave its bytes to be removed; False when it has ended by itself."""
    if not tx.run("DELETE FROM upload WHERE id = :id", id=upload.id):
        return False
    leave_bytes(tx, RemovedBytes(upload.id, UPLOAD, None, upload.size), due_at)
    return True


def forget_finished(tx: Transaction, before: int) -> int:
    """Forget which layers uploads became that finished before then; the number of them."""
    return tx.run("DELETE FROM finished_upload WHERE finished_at < :before", before=before)


# --- Bytes ------------------------------------------------------------------------------------------------------


def leave_bytes(tx: Transaction, left: RemovedBytes, due_at: int) -> None:
    """Note what the store is to remove, in the transaction that removes the row which named it."""
    tx.run(
        "INSERT INTO removed_bytes (name, kind, digest, size, due_at) VALUES (:name, :kind, :digest, :size, :due)"
        " ON CONFLICT DO NOTHING",
        name=left.name,
        kind=left.kind,
        digest=left.digest,
        size=left.size,
        due=due_at,
    )


def due_bytes(tx: Transaction, after: str, now: int, limit: int) -> tuple[list[RemovedBytes], str | None]:
    """At most `limit` things that the store may remove now, with names behind `after`; and where to go on, or None."""
    rows = tx.all(
        "SELECT name, kind, digest, size FROM removed_bytes WHERE name > :after AND due_at <= :now"
        " ORDER BY name LIMIT :limit",
        after=after,
        now=now,
        limit=limit,
    )
    return [RemovedBytes(*row) for row in rows], rows[-1][0] if len(rows) == limit else None


def forget_bytes(tx: Transaction, gone: list[RemovedBytes]) -> None:
    """The store has removed them."""
    for one in gone:
        tx.run("DELETE FROM removed_bytes WHERE name = :name", name=one.name)
