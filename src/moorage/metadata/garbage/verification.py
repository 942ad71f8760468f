"""What is verified: rows of blobs and manifests, one after the other, and what was found out about them."""

from __future__ import annotations

from dataclasses import dataclass

from moorage.metadata.database import Transaction


@dataclass(frozen=True, slots=True)
class BlobRow:
    """A blob as its row has it. `repository_id`: one that sees it; None when none does."""

    id: int
    digest: str
    size: int
    key: str
    is_damaged: bool
    repository_id: int | None


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """An image's manifest: where it is, what it is called, and its bytes."""

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
    """At most `limit` blobs with ids behind `after`."""
    rows = tx.all(f"{_BLOB} WHERE b.id > :after ORDER BY b.id LIMIT :limit", after=after, limit=limit)
    return [BlobRow(row[0], row[1], row[2], row[3], bool(row[4]), row[5]) for row in rows]


def blob(tx: Transaction, key: str) -> BlobRow | None:
    """The blob that a storage key holds, if any."""
    row = tx.one(f"{_BLOB} WHERE b.storage_key = :key", key=key)
    return BlobRow(row[0], row[1], row[2], row[3], bool(row[4]), row[5]) if row else None


def blobs_of_keys(tx: Transaction, keys: list[str]) -> list[BlobRow]:
    """The blobs that these storage keys hold."""
    rows = tx.all(f"{_BLOB} WHERE b.storage_key = ANY(:keys)", keys=keys)
    return [BlobRow(row[0], row[1], row[2], row[3], bool(row[4]), row[5]) for row in rows]


def manifests(tx: Transaction, after: int, limit: int) -> list[ManifestRow]:
    """At most `limit` manifests of images with ids behind `after`; one that is missing is empty."""
    rows = tx.all(
        "SELECT i.id, r.name, i.digest, i.manifest_size, m.body FROM image i"
        " JOIN repository r ON r.id = i.repository_id LEFT JOIN manifest m ON m.image_id = i.id"
        " WHERE i.id > :after ORDER BY i.id LIMIT :limit",
        after=after,
        limit=limit,
    )
    return [ManifestRow(row[0], row[1], row[2], row[3], bytes(row[4] or b"")) for row in rows]


def bytes_behind(tx: Transaction, after: int) -> int:
    """Bytes of all blobs with ids behind `after`."""
    row = tx.one("SELECT coalesce(sum(size), 0) FROM blob WHERE id > :after", after=after)
    return int(row[0]) if row else 0


def mark_damaged(tx: Transaction, key: str, now: int) -> bool:
    """Let nobody be told any more that the blob of this key is there; False when no row names the key."""
    return bool(
        tx.run("UPDATE blob SET damaged_at = coalesce(damaged_at, :now) WHERE storage_key = :key", key=key, now=now)
    )


def mark_whole(tx: Transaction, key: str) -> None:
    """The blob of this key is as it should be."""
    tx.run("UPDATE blob SET damaged_at = NULL WHERE storage_key = :key", key=key)


def replace_key(tx: Transaction, old: str, new: str) -> bool:
    """Let a blob be held by another key, whose bytes are right; False when no row names the old one any more."""
    return bool(
        tx.run("UPDATE blob SET storage_key = :new, damaged_at = NULL WHERE storage_key = :old", old=old, new=new)
    )


def unknown_keys(tx: Transaction, keys: dict[str, str]) -> list[str]:
    """Those of the keys (each with the upload that made it) that no row names and none can ever name.

    A key is named in the transaction that ends its upload, so one whose upload is over is named or never will be.
    """
    ended = set(ended_uploads(tx, list(keys.values())))  # first: what ends after this look is named by the next ones
    named = {row[0] for row in tx.all("SELECT storage_key FROM blob WHERE storage_key = ANY(:keys)", keys=list(keys))}
    named |= {row[0] for row in tx.all("SELECT name FROM removed_bytes WHERE name = ANY(:keys)", keys=list(keys))}
    return [key for key, upload in keys.items() if key not in named and upload in ended]


def ended_uploads(tx: Transaction, uploads: list[str]) -> list[str]:
    """Those of the uploads that are over, or never were."""
    rows = tx.all("SELECT id FROM upload WHERE id = ANY(:uploads)", uploads=uploads)
    return sorted(set(uploads) - {row[0] for row in rows})


def ended_states(tx: Transaction, after: str, limit: int) -> list[str]:
    """At most `limit` uploads behind `after` that are over and of which a store without memory has noted something."""
    rows = tx.all(
        "SELECT s.upload FROM upload_state s WHERE s.upload > :after"
        " AND NOT EXISTS (SELECT 1 FROM upload u WHERE u.id = s.upload) ORDER BY s.upload LIMIT :limit",
        after=after,
        limit=limit,
    )
    return [row[0] for row in rows]


def position(tx: Transaction) -> int:
    """The id of the last blob that an interrupted verification has read; 0 when none was interrupted."""
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
