"""Rows of deleted repositories that still have images or layers, which are removed in slices.

Images and layers refer to the repository's own row. It stays until they are gone, but no request finds it: it has no
account any more (`repositories.hide`). The images can be undeleted at any time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from moorage.domain.names import Registry, RepositoryName
from moorage.metadata.database import Transaction
from moorage.metadata.garbage import deleted_images
from moorage.metadata.garbage.deleted_images import DeletedImage
from moorage.metadata.registry import images, repositories
from moorage.metadata.registry.images import ImageFilter
from moorage.metadata.registry.repositories import Repository

JOB: Final = "delete-repository"
"""The kind of the jobs that remove the rest of deleted repositories. The key is the repository's id."""

IMAGES_AT_ONCE: Final = 50
_ROWS_AT_ONCE: Final = 500
"""What one slice removes at most, which takes about 10 milliseconds. Pushes wait for it."""

_GROWING: Final = (
    ("repository_layer", "blob_id"),
    ("finished_upload", "id"),
    ("replicated_image", "digest"),
    ("replica", "digest"),
    ("cached_tag", "tag"),
    ("cached_manifest", "digest"),
    ("lifecycle_preview_page", "last_image"),
)
"""Tables that can have many rows of a repository, each with the second column of its key.

Tags go with their images. Everything else is little and goes with the repository.
"""


@dataclass(frozen=True, slots=True)
class DeletedRepository:
    """A deleted repository, with the registry and the name that it had."""

    id: int
    registry: Registry
    name: RepositoryName
    deleted_at: int


_COLUMNS: Final = "repository_id, account, region, name, deleted_at"


def add(tx: Transaction, repository: Repository, now: int) -> None:
    """Free the name of a repository, and end its uploads. Its images and layers are left to `remove_slice`."""
    tx.run(
        f"INSERT INTO deleted_repository ({_COLUMNS}) VALUES (:id, :account, :region, :name, :now)",
        id=repository.id,
        account=repository.registry.account,
        region=repository.registry.region,
        name=repository.name,
        now=now,
    )
    tx.run("DELETE FROM upload WHERE repository_id = :repository", repository=repository.id)
    repositories.hide(tx, repository)


def ids(tx: Transaction) -> list[int]:
    """The ids of all deleted repositories."""
    return [row[0] for row in tx.all("SELECT repository_id FROM deleted_repository ORDER BY repository_id")]


def named(tx: Transaction, registry: Registry, name: str) -> list[DeletedRepository]:
    """The deleted repositories of a registry that had the name or, with an empty name, all; by time of deletion."""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM deleted_repository WHERE account = :account AND region = :region"
        " AND (:name = '' OR name = :name) ORDER BY deleted_at, repository_id",
        account=registry.account,
        region=registry.region,
        name=name,
    )
    return [_deleted(row) for row in rows]


def page(tx: Transaction, deleted: DeletedRepository, after: int, limit: int) -> list[DeletedImage]:
    """At most `limit` images with ids after `after` that no slice has removed yet."""
    found = images.page(tx, deleted.id, after, ImageFilter(status="ANY"), limit)
    return [
        DeletedImage(image.id, deleted.registry, deleted.name, image.digest, image.media_type, deleted.deleted_at)
        for image in found
    ]


def remove_slice(tx: Transaction, repository_id: int) -> bool:
    """Remove the next rows of a deleted repository; returns whether nothing is left of it.

    The youngest images go first, so that an index goes before the images that it lists: many can list one image.
    """
    row = tx.one(f"SELECT {_COLUMNS} FROM deleted_repository WHERE repository_id = :id", id=repository_id)
    if row is None:
        return True
    found = tx.all(
        "SELECT id FROM image WHERE repository_id = :repository ORDER BY id DESC LIMIT :limit",
        repository=repository_id,
        limit=IMAGES_AT_ONCE,
    )
    _remove_images(tx, _deleted(row), [image_id for (image_id,) in found])
    if len(found) == IMAGES_AT_ONCE:
        return False
    for table, key in _GROWING:
        removed = tx.run(
            f"DELETE FROM {table} WHERE repository_id = :repository AND {key} IN"
            f" (SELECT {key} FROM {table} WHERE repository_id = :repository LIMIT :limit)",
            repository=repository_id,
            limit=_ROWS_AT_ONCE,
        )
        if removed >= _ROWS_AT_ONCE:
            return False
    repositories.remove(tx, repository_id)
    return True


def remove_image(tx: Transaction, registry: Registry, name: str, reference: str) -> None:
    """Remove the image with that digest or tag from the deleted repositories of that name, so that it is undeletable.

    A slice would do the same later.
    """
    for deleted in named(tx, registry, name):
        find = images.find if ":" in reference else images.find_tagged
        image = find(tx, deleted.id, reference)
        if image is not None:
            _remove_images(tx, deleted, [image.id])


def _remove_images(tx: Transaction, deleted: DeletedRepository, image_ids: Sequence[int]) -> None:
    """Remove images, and keep them as deleted ones. One that was deleted later from a repository of that name stays."""
    kept = tx.all(
        "SELECT i.id FROM image i WHERE i.id = ANY(:images) AND (SELECT r.removed_at FROM removed_image r WHERE"
        " r.account = :account AND r.region = :region AND r.repository = :name AND r.digest = i.digest) > :at",
        account=deleted.registry.account,
        region=deleted.registry.region,
        name=deleted.name,
        images=image_ids,
        at=deleted.deleted_at,
    )
    missing = sorted({*image_ids} - {image_id for (image_id,) in kept})
    deleted_images.keep(tx, deleted.registry, deleted.name, missing, deleted.deleted_at)
    tx.run("DELETE FROM image WHERE id = ANY(:images)", images=image_ids)


def _deleted(row: tuple[int, str, str, str, int]) -> DeletedRepository:
    id_, account, region, name, deleted_at = row
    return DeletedRepository(id_, Registry(account, region), RepositoryName(name), deleted_at)
