"""References to a blob or an image: the rows that keep it, and the rows that mark it as removed or damaged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from moorage.metadata.database import LARGEST_INTEGER, Transaction
from moorage.metadata.registry.repositories import NOT_DELETED, Repository


@dataclass(frozen=True, slots=True)
class BlobView:
    """A repository that can see a blob, with the time of the last report to a client that it exists."""

    repository_id: int
    registry: str
    repository: str
    reported_at: int


@dataclass(frozen=True, slots=True)
class ImageReference:
    """An image, found by its digest or by a layer."""

    id: int
    repository_id: int
    registry: str
    repository: str
    digest: str


@dataclass(frozen=True, slots=True)
class DeletedReference:
    """A deleted image that can be undeleted."""

    registry: str
    repository: str
    digest: str
    deleted_at: int


_IMAGE: Final = "i.id, i.repository_id, r.account || '/' || r.region, r.name, i.digest"

_OF_DELETED_REPOSITORY: Final = "d.account || '/' || d.region, d.name, i.digest, d.deleted_at"
"""A `DeletedReference` to an image of a deleted repository that no slice has removed yet."""


def repositories_with_blob(tx: Transaction, digest: str, repository_id: int | None = None) -> list[BlobView]:
    """The repositories that can see a blob, or only this one."""
    condition = "" if repository_id is None else " AND l.repository_id = :repository"
    rows = tx.all(
        "SELECT r.id, r.account || '/' || r.region, r.name, l.told_at"
        " FROM blob b JOIN repository_layer l ON l.blob_id = b.id JOIN repository r ON r.id = l.repository_id"
        f" WHERE b.digest = :digest AND r.{NOT_DELETED}{condition} ORDER BY r.account, r.region, r.name",
        digest=digest,
        repository=repository_id,
    )
    return [BlobView(*row) for row in rows]


def images_with_layer(
    tx: Transaction, repository_id: int, digest: str, limit: int | None = None
) -> list[ImageReference]:
    """The images of a repository that have the blob as a layer, at most `limit`."""
    rows = tx.all(
        f"SELECT {_IMAGE} FROM blob b JOIN image_layer l ON l.blob_id = b.id"
        " JOIN image i ON i.id = l.image_id JOIN repository r ON r.id = i.repository_id"
        " WHERE b.digest = :digest AND l.repository_id = :repository ORDER BY i.id LIMIT :limit",
        digest=digest,
        repository=repository_id,
        limit=LARGEST_INTEGER if limit is None else limit,
    )
    return [ImageReference(*row) for row in rows]


def deleted_images_with_layer(tx: Transaction, digest: str) -> list[DeletedReference]:
    """The deleted images that have the blob as a layer."""
    rows = tx.all(
        "SELECT r.account || '/' || r.region, r.repository, r.digest, r.removed_at"
        " FROM blob b JOIN removed_layer l ON l.blob_id = b.id JOIN removed_image r ON r.id = l.removed_id"
        " WHERE b.digest = :digest ORDER BY r.id",
        digest=digest,
    )
    rows += tx.all(
        f"SELECT {_OF_DELETED_REPOSITORY} FROM blob b JOIN image_layer l ON l.blob_id = b.id"
        " JOIN deleted_repository d ON d.repository_id = l.repository_id JOIN image i ON i.id = l.image_id"
        " WHERE b.digest = :digest ORDER BY i.id",
        digest=digest,
    )
    return [DeletedReference(*row) for row in rows]


def images_deleted_from(tx: Transaction, repository: Repository, digest: str, limit: int) -> list[DeletedReference]:
    """At most `limit` images that were deleted from a repository and have the blob as a layer."""
    rows = tx.all(
        "SELECT r.account || '/' || r.region, r.repository, r.digest, r.removed_at"
        " FROM blob b JOIN removed_layer l ON l.blob_id = b.id JOIN removed_image r ON r.id = l.removed_id"
        " WHERE b.digest = :digest AND r.account = :account AND r.region = :region AND r.repository = :name"
        " ORDER BY r.id LIMIT :limit",
        digest=digest,
        account=repository.registry.account,
        region=repository.registry.region,
        name=repository.name,
        limit=limit,
    )
    return [DeletedReference(*row) for row in rows]


def images_with_digest(tx: Transaction, digest: str) -> list[ImageReference]:
    """The images with that digest, in all repositories."""
    rows = tx.all(
        f"SELECT {_IMAGE} FROM repository r JOIN image i ON i.repository_id = r.id AND i.digest = :digest"
        f" WHERE r.{NOT_DELETED} ORDER BY r.account, r.region, r.name",
        digest=digest,
    )
    return [ImageReference(*row) for row in rows]


def deleted_images_with_digest(tx: Transaction, digest: str) -> list[DeletedReference]:
    """The deleted images with that digest."""
    rows = tx.all(
        "SELECT r.account || '/' || r.region, r.repository, r.digest, r.removed_at"
        " FROM removed_image r WHERE r.digest = :digest ORDER BY r.id",
        digest=digest,
    )
    rows += tx.all(
        f"SELECT {_OF_DELETED_REPOSITORY} FROM deleted_repository d"
        " JOIN image i ON i.repository_id = d.repository_id AND i.digest = :digest ORDER BY i.id",
        digest=digest,
    )
    return [DeletedReference(*row) for row in rows]


def pending_removals(tx: Transaction, digest: str) -> list[tuple[str, int]]:
    """The storage keys of a digest whose row was deleted, and when their bytes may be deleted."""
    rows = tx.all("SELECT name, due_at FROM removed_bytes WHERE digest = :digest ORDER BY due_at", digest=digest)
    return [(row[0], row[1]) for row in rows]


def damaged_blobs(tx: Transaction, digest: str) -> list[tuple[str, int]]:
    """The storage key of a blob whose bytes are wrong or missing, and when that was found."""
    found = "SELECT storage_key, damaged_at FROM blob WHERE digest = :digest AND damaged_at IS NOT NULL"
    return [(row[0], row[1]) for row in tx.all(found, digest=digest)]
