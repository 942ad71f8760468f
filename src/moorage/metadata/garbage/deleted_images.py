"""Rows of deleted images that can be undeleted: their manifests, tags and layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from moorage.domain.names import Registry
from moorage.metadata.database import Transaction
from moorage.metadata.registry.repositories import Repository


@dataclass(frozen=True, slots=True)
class DeletedImage:
    """An image that was deleted from the repository with that name, which may be deleted too."""

    id: int
    registry: Registry
    repository: str
    digest: str
    media_type: str
    deleted_at: int


_CHOSEN: Final = "FROM image i JOIN manifest m ON m.image_id = i.id"
_COPY: Final = """
(SELECT r.id FROM removed_image r
WHERE r.account = :account AND r.region = :region AND r.repository = :name AND r.digest = i.digest)
"""
"""A value, not a join: PostgreSQL would join all copies of a repository while its statistics say that it has few."""

_OLDER: Final = f"SELECT {_COPY} FROM image i WHERE i.id = ANY(:images)"
_COPY_IMAGES: Final = f"""
INSERT INTO removed_image (account, region, repository, digest, media_type, body, removed_at)
SELECT :account, :region, :name, i.digest, i.media_type, m.body, :now {_CHOSEN} WHERE i.id = ANY(:images) ORDER BY i.id
"""
_COPY_TAGS: Final = f"""
INSERT INTO removed_tag (removed_id, name)
SELECT {_COPY}, t.name {_CHOSEN} JOIN tag t ON t.image_id = i.id WHERE i.id = ANY(:images)
"""
_COPY_LAYERS: Final = f"""
INSERT INTO removed_layer (removed_id, blob_id, repository_id)
SELECT {_COPY}, l.blob_id, i.repository_id {_CHOSEN} JOIN image_layer l ON l.image_id = i.id WHERE i.id = ANY(:images)
"""


def keep(tx: Transaction, registry: Registry, repository: str, image_ids: Sequence[int], now: int) -> None:
    """Copy images of a repository to the deleted images; call this before deleting them.

    A copy replaces an older one with the same digest.
    """
    name = {"account": registry.account, "region": registry.region, "name": repository}
    older = [removed_id for (removed_id,) in tx.all(_OLDER, images=image_ids, **name) if removed_id is not None]
    if older:
        tx.run("DELETE FROM removed_image WHERE id = ANY(:ids)", ids=older)
    tx.run(_COPY_IMAGES, images=image_ids, now=now, **name)
    tx.run(_COPY_TAGS, images=image_ids, **name)
    tx.run(_COPY_LAYERS, images=image_ids, **name)


_COLUMNS: Final = "r.id, r.account, r.region, r.repository, r.digest, r.media_type, r.removed_at"


def expired(tx: Transaction, after: int, before: int, limit: int) -> tuple[list[DeletedImage], int | None]:
    """At most `limit` images deleted before `before`, with ids after `after`, and the id to continue from, or None."""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM removed_image r WHERE r.id > :after AND r.removed_at < :before"
        " ORDER BY r.id LIMIT :limit",
        after=after,
        before=before,
        limit=limit,
    )
    return [_image(row) for row in rows], rows[-1][0] if len(rows) == limit else None


def forget(tx: Transaction, removed_id: int) -> bool:
    """Delete an image for good; it no longer keeps its layers. False when it is not there any more."""
    return bool(tx.run("DELETE FROM removed_image WHERE id = :id", id=removed_id))


def _image(row: tuple[int, str, str, str, str, str, int]) -> DeletedImage:
    return DeletedImage(row[0], Registry(row[1], row[2]), row[3], row[4], row[5], row[6])


def find(tx: Transaction, repository: Repository, reference: str) -> DeletedImage | None:
    """The deleted image with that digest, or the one that had that tag and was deleted last."""
    chosen = "r.digest = :reference" if ":" in reference else "t.name = :reference"
    row = tx.one(
        f"SELECT {_COLUMNS} FROM removed_image r LEFT JOIN removed_tag t ON t.removed_id = r.id"
        f" WHERE r.account = :account AND r.region = :region AND r.repository = :name AND {chosen}"
        " ORDER BY r.removed_at DESC, r.id DESC LIMIT 1",
        account=repository.registry.account,
        region=repository.registry.region,
        name=repository.name,
        reference=reference,
    )
    return _image(row) if row else None


def page(
    tx: Transaction, registry: Registry, repository: str, after: tuple[str, str], limit: int
) -> list[DeletedImage]:
    """At most `limit` deleted images of one repository or, with an empty name, of all.

    They are sorted by repository and digest; the page begins behind the pair `after`.
    """
    condition = "AND r.repository = :name" if repository else ""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM removed_image r WHERE r.account = :account AND r.region = :region {condition}"
        " AND (r.repository, r.digest) > (:after_name, :after_digest) ORDER BY r.repository, r.digest LIMIT :limit",
        account=registry.account,
        region=registry.region,
        name=repository,
        after_name=after[0],
        after_digest=after[1],
        limit=limit,
    )
    return [_image(row) for row in rows]


def content(tx: Transaction, removed_id: int) -> bytes:
    """The bytes of the manifest as they were pushed."""
    row = tx.one("SELECT body FROM removed_image WHERE id = :id", id=removed_id)
    return bytes(row[0]) if row else b""


def tags_of(tx: Transaction, removed_id: int) -> list[str]:
    """The tags that the image had when it was deleted."""
    return [
        row[0] for row in tx.all("SELECT name FROM removed_tag WHERE removed_id = :id ORDER BY name", id=removed_id)
    ]


def layers_of(tx: Transaction, removed_id: int) -> list[int]:
    """The ids of the blobs that the image keeps."""
    rows = tx.all("SELECT blob_id FROM removed_layer WHERE removed_id = :id ORDER BY blob_id", id=removed_id)
    return [row[0] for row in rows]
