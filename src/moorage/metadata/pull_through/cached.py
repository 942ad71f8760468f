"""Rows of manifests that came from upstream registries and are no images yet, because not all of their blobs are here.

When the last blob or image that a manifest needs has arrived, it becomes an image, and its rows are deleted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from moorage.metadata.database import Transaction
from moorage.metadata.registry.images import StoredManifest

_COLUMNS: Final = "c.repository_id, c.digest, c.media_type, c.body, c.pulled_at"


@dataclass(frozen=True, slots=True)
class CachedManifest:
    """A manifest that is not an image yet. `pulled_at` is None before a client has pulled it."""

    repository_id: int
    digest: str
    media_type: str
    body: bytes
    pulled_at: int | None = None

    def stored(self) -> StoredManifest:
        """The manifest for a pull."""
        return StoredManifest(self.digest, self.media_type, self.body)


@dataclass(frozen=True, slots=True)
class CachedTag:
    """A tag of the upstream registry, and when it is compared with the upstream registry again."""

    tag: str
    check_at: int


def find(tx: Transaction, repository_id: int, reference: str) -> CachedManifest | None:
    """The manifest with a digest, or with a tag."""
    if ":" in reference:
        source = "FROM cached_manifest c WHERE c.repository_id = :repository AND c.digest = :reference"
    else:
        source = (
            "FROM cached_tag t JOIN cached_manifest c ON c.repository_id = t.repository_id AND c.digest = t.digest"
            " WHERE t.repository_id = :repository AND t.tag = :reference"
        )
    row = tx.one(f"SELECT {_COLUMNS} {source}", repository=repository_id, reference=reference)
    return CachedManifest(*row) if row else None


def insert(tx: Transaction, new: CachedManifest, blobs: Iterable[tuple[str, int]], now: int) -> None:
    """Add a manifest, unless it is there, with the blobs that it needs: pairs of digest and size."""
    is_new = tx.run(
        "INSERT INTO cached_manifest (repository_id, digest, media_type, body, fetched_at, pulled_at)"
        " VALUES (:repository, :digest, :media_type, :body, :now, :pulled) ON CONFLICT DO NOTHING",
        repository=new.repository_id,
        digest=new.digest,
        media_type=new.media_type,
        body=new.body,
        now=now,
        pulled=new.pulled_at,
    )
    if is_new:
        tx.run_each(
            "INSERT INTO cached_blob (repository_id, digest, manifest, size)"
            " VALUES (:repository, :digest, :manifest, :size) ON CONFLICT DO NOTHING",
            [
                {"repository": new.repository_id, "digest": digest, "manifest": new.digest, "size": size}
                for digest, size in blobs
            ],
        )


def is_beyond(tx: Transaction, repository_id: int, number: int) -> bool:
    """Whether the repository has more than so many of these manifests; reads only one more."""
    sql = "SELECT 1 FROM cached_manifest WHERE repository_id = :repository LIMIT 1 OFFSET :number"
    return tx.one(sql, repository=repository_id, number=number) is not None


def set_pulled(tx: Transaction, repository_id: int, digest: str, now: int) -> None:
    """Record the first pull of a manifest."""
    tx.run(
        "UPDATE cached_manifest SET pulled_at = :now"
        " WHERE repository_id = :repository AND digest = :digest AND pulled_at IS NULL",
        repository=repository_id,
        digest=digest,
        now=now,
    )


def size_of_blob(tx: Transaction, repository_id: int, digest: str) -> int | None:
    """The size of a blob that one of these manifests needs; None if none does."""
    row = tx.one(
        "SELECT size FROM cached_blob WHERE repository_id = :repository AND digest = :digest LIMIT 1",
        repository=repository_id,
        digest=digest,
    )
    return row[0] if row else None


def delete(tx: Transaction, repository_id: int, digest: str) -> bool:
    """Delete a manifest with its tags; False if it is gone already."""
    values = {"repository": repository_id, "digest": digest}
    tx.run("DELETE FROM cached_tag WHERE repository_id = :repository AND digest = :digest", **values)
    return bool(tx.run("DELETE FROM cached_manifest WHERE repository_id = :repository AND digest = :digest", **values))


# --- Tags -------------------------------------------------------------------------------------------------------


def put_tag(tx: Transaction, repository_id: int, tag: CachedTag, digest: str) -> None:
    """Let a tag name a manifest that is not an image yet."""
    tx.run(
        "INSERT INTO cached_tag (repository_id, tag, digest, check_at) VALUES (:repository, :tag, :digest, :at)"
        " ON CONFLICT (repository_id, tag) DO UPDATE SET digest = excluded.digest, check_at = excluded.check_at",
        repository=repository_id,
        tag=tag.tag,
        digest=digest,
        at=tag.check_at,
    )


def tags_of(tx: Transaction, repository_id: int, digest: str) -> list[CachedTag]:
    """The tags that a manifest gets when it becomes an image."""
    rows = tx.all(
        "SELECT tag, check_at FROM cached_tag INDEXED BY cached_tag_by_digest"
        " WHERE repository_id = :repository AND digest = :digest ORDER BY tag",
        repository=repository_id,
        digest=digest,
    )
    return [CachedTag(*row) for row in rows]


def is_pushed(tx: Transaction, repository_id: int, tag: str) -> bool:
    """Whether a tag is one that a client has pushed, so that it does not depend on the upstream registry."""
    sql = "SELECT 1 FROM tag WHERE repository_id = :repository AND name = :tag AND check_at IS NULL"
    return tx.one(sql, repository=repository_id, tag=tag) is not None


def set_check(tx: Transaction, repository_id: int, tag: CachedTag) -> None:
    """Set when a tag of an image is compared with the upstream registry again."""
    tx.run(
        "UPDATE tag SET check_at = :at WHERE repository_id = :repository AND name = :tag",
        repository=repository_id,
        tag=tag.tag,
        at=tag.check_at,
    )


def claim_check(tx: Transaction, repository_id: int, tag: CachedTag, now: int) -> bool:
    """Put a due comparison off, for the one process that does it now; False if another process does it."""
    return bool(
        tx.run(
            "UPDATE tag SET check_at = :at WHERE repository_id = :repository AND name = :tag AND check_at <= :now",
            repository=repository_id,
            tag=tag.tag,
            at=tag.check_at,
            now=now,
        )
    )
