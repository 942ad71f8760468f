"""Rows for verification: blobs and manifests in order, and the results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from moorage.domain.registry.upload_ids import may_be_open
from moorage.metadata.database import Transaction


@dataclass(frozen=True, slots=True)
class BlobRow:
    """A blob's row. `repository_id` is one of the repositories that can see it, or None."""

    id: int
    digest: str
    size: int
    key: str
    is_damaged: bool
    repository_id: int | None


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """An image's manifest with its repository, digest and bytes."""

    id: int
    repository: str
    digest: str
    size: int
    body: bytes


_BLOB = """
SELECT b.id, b.digest, b.size, b.storage_key, b.damaged_at IS NOT NULL,
    (SELECT min(l.repository_id) FROM repository_layer l WHERE l.blob_id = b.id)
FROM blob b
"""


def blobs(tx: Transaction, after: int, limit: int) -> list[BlobRow]:
    """At most `limit` blobs with ids after `after`."""
    rows = tx.all(f"{_BLOB} WHERE b.id > :after ORDER BY b.id LIMIT :limit", after=after, limit=limit)
    return [BlobRow(row[0], row[1], row[2], row[3], bool(row[4]), row[5]) for row in rows]


def blob(tx: Transaction, key: str) -> BlobRow | None:
    """The blob with that storage key, if any."""
    row = tx.one(f"{_BLOB} WHERE b.storage_key = :key", key=key)
    return BlobRow(row[0], row[1], row[2], row[3], bool(row[4]), row[5]) if row else None


def blobs_of_keys(tx: Transaction, keys: list[str]) -> list[BlobRow]:
    """The blobs with these storage keys."""
    rows = tx.all(f"{_BLOB} WHERE b.storage_key = ANY(:keys)", keys=keys)
    return [BlobRow(row[0], row[1], row[2], row[3], bool(row[4]), row[5]) for row in rows]


def blobs_of_ids(tx: Transaction, ids: list[int]) -> list[BlobRow]:
    """The blobs with these ids."""
    rows = tx.all(f"{_BLOB} WHERE b.id = ANY(:ids)", ids=ids)
    return [BlobRow(row[0], row[1], row[2], row[3], bool(row[4]), row[5]) for row in rows]


def manifests(tx: Transaction, after: int, limit: int) -> list[ManifestRow]:
    """At most `limit` manifests of images with ids after `after`; a missing body is empty."""
    rows = tx.all(
        "SELECT i.id, r.name, i.digest, i.manifest_size, m.body FROM image i"
        " JOIN repository r ON r.id = i.repository_id LEFT JOIN manifest m ON m.image_id = i.id"
        " WHERE i.id > :after ORDER BY i.id LIMIT :limit",
        after=after,
        limit=limit,
    )
    return [ManifestRow(row[0], row[1], row[2], row[3], bytes(row[4] or b"")) for row in rows]


def bytes_after(tx: Transaction, after: int) -> int:
    """The total size of all blobs with ids after `after`."""
    row = tx.one("SELECT coalesce(sum(size), 0) FROM blob WHERE id > :after", after=after)
    return int(row[0]) if row else 0


def mark_damaged(tx: Transaction, key: str, now: int) -> bool:
    """Hide the blob with this key from clients; False when no row has the key."""
    return bool(
        tx.run("UPDATE blob SET damaged_at = coalesce(damaged_at, :now) WHERE storage_key = :key", key=key, now=now)
    )


def mark_intact(tx: Transaction, key: str) -> None:
    """Clear the mark of a damaged blob."""
    tx.run("UPDATE blob SET damaged_at = NULL WHERE storage_key = :key", key=key)


def replace_key(tx: Transaction, old: str, new: str) -> bool:
    """Point a blob to another key with correct bytes; False when no row has the old key any more."""
    return bool(
        tx.run("UPDATE blob SET storage_key = :new, damaged_at = NULL WHERE storage_key = :old", old=old, new=new)
    )


def unknown_keys(tx: Transaction, keys: dict[str, str], now: int) -> list[str]:
    """The keys, each with the upload that created it, that no row has and no row can ever have.

    A row gets its key in the transaction that ends the upload, so a key of an ended upload has a row or never will.
    """
    ended = set(ended_uploads(tx, list(keys.values()), now))  # first: rows of uploads that end later are read below
    named = {row[0] for row in tx.all("SELECT storage_key FROM blob WHERE storage_key = ANY(:keys)", keys=list(keys))}
    named |= {row[0] for row in tx.all("SELECT name FROM removed_bytes WHERE name = ANY(:keys)", keys=list(keys))}
    return [key for key, upload in keys.items() if key not in named and upload in ended]


def ended_uploads(tx: Transaction, uploads: Sequence[str], now: int) -> list[str]:
    """The uploads that have ended or never existed. Young ones without a row may be open (`may_be_open`)."""
    rows = tx.all("SELECT id FROM upload WHERE id = ANY(:uploads)", uploads=uploads)
    without_row = set(uploads) - {row[0] for row in rows}
    young = [upload for upload in without_row if may_be_open(upload, now)]
    finished = tx.all("SELECT id FROM finished_upload WHERE id = ANY(:uploads)", uploads=young) if young else []
    return sorted(without_row - set(young) | {row[0] for row in finished})


def orphaned_states(tx: Transaction, after: str, limit: int) -> list[str]:
    """At most `limit` ended uploads after `after` that still have a state of an object store."""
    rows = tx.all(
        "SELECT s.upload FROM upload_state s WHERE s.upload > :after"
        " AND NOT EXISTS (SELECT 1 FROM upload u WHERE u.id = s.upload) ORDER BY s.upload LIMIT :limit",
        after=after,
        limit=limit,
    )
    return [row[0] for row in rows]


def position(tx: Transaction) -> int:
    """The id of the last blob that an interrupted verification has read; 0 if none was interrupted."""
    row = tx.one("SELECT position FROM verification WHERE kind = 'blob'")
    return int(row[0]) if row else 0


def save_position(tx: Transaction, blob_id: int) -> None:
    tx.run(
        "INSERT INTO verification (kind, position) VALUES ('blob', :position)"
        " ON CONFLICT (kind) DO UPDATE SET position = excluded.position",
        position=blob_id,
    )


def forget_position(tx: Transaction) -> None:
    tx.run("DELETE FROM verification")
