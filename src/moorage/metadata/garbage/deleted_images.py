"""Rows of images that were deleted and can come back: their manifests, their tags, and the layers that they hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from moorage.domain.names import Registry
from moorage.metadata.database import Transaction
from moorage.metadata.registry.repositories import Repository


@dataclass(frozen=True, slots=True)
class RemovedImage:
    """An image that was deleted from the repository of that name, which may be gone as well."""

    id: int
    registry: Registry
    repository: str
    digest: str
    media_type: str
    removed_at: int


_CHOSEN: Final = "i.repository_id = :repository AND (:image = 0 OR i.id = :image)"
_THIS: Final = "r.account = :account AND r.region = :region AND r.repository = :name AND r.digest = i.digest"

_FORGET: Final = f"""
DELETE FROM removed_image WHERE account = :account AND region = :region AND repository = :name
AND digest IN (SELECT i.digest FROM image i WHERE {_CHOSEN})
"""

_KEEP_IMAGES: Final = f"""
INSERT INTO removed_image (account, region, repository, digest, media_type, body, removed_at)
SELECT :account, :region, :name, i.digest, i.media_type, m.body, :now
FROM image i JOIN manifest m ON m.image_id = i.id WHERE {_CHOSEN} ORDER BY i.id
"""

_KEEP_TAGS: Final = f"""
INSERT INTO removed_tag (removed_id, name)
SELECT r.id, t.name FROM image i JOIN tag t ON t.image_id = i.id JOIN removed_image r ON {_THIS} WHERE {_CHOSEN}
"""

_KEEP_LAYERS: Final = f"""
INSERT INTO removed_layer (removed_id, blob_id, repository_id)
SELECT r.id, l.blob_id, i.repository_id
FROM image i JOIN image_layer l ON l.image_id = i.id JOIN removed_image r ON {_THIS} WHERE {_CHOSEN}
"""


def keep(tx: Transaction, repository: Repository, now: int, image_id: int = 0) -> None:
    """Put an image of the repository, or all of them, into the trash; to be called before they are deleted.

    An image that was deleted before takes the place of what was kept of it then.
    """
    registry = repository.registry
    this = {"account": registry.account, "region": registry.region, "name": repository.name}
    chosen = {"repository": repository.id, "image": image_id}
    tx.run(_FORGET, **this, **chosen)
    tx.run(_KEEP_IMAGES, now=now, **this, **chosen)
    tx.run(_KEEP_TAGS, **this, **chosen)
    tx.run(_KEEP_LAYERS, **this, **chosen)


_COLUMNS: Final = "r.id, r.account, r.region, r.repository, r.digest, r.media_type, r.removed_at"


def old(tx: Transaction, after: int, before: int, limit: int) -> tuple[list[RemovedImage], int | None]:
    """At most `limit` images that were deleted before then, with ids behind `after`; and where to go on, or None."""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM removed_image r WHERE r.id > :after AND r.removed_at < :before"
        " ORDER BY r.id LIMIT :limit",
        after=after,
        before=before,
        limit=limit,
    )
    return [_image(row) for row in rows], rows[-1][0] if len(rows) == limit else None


def forget(tx: Transaction, removed_id: int) -> bool:
    """Let an image be gone for good: it holds its layers no more. False when it is not in the trash any more."""
    return bool(tx.run("DELETE FROM removed_image WHERE id = :id", id=removed_id))


def _image(row: tuple[int, str, str, str, str, str, int]) -> RemovedImage:
    return RemovedImage(row[0], Registry(row[1], row[2]), row[3], row[4], row[5], row[6])


def find(tx: Transaction, repository: Repository, reference: str) -> RemovedImage | None:
    """The image of that digest in the trash, or the one that had that tag and was deleted last."""
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


def listed(tx: Transaction, registry: Registry, repository: str, after: int, limit: int) -> list[RemovedImage]:
    """At most `limit` images of the trash with ids behind `after`: of one repository, or with an empty name of all."""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM removed_image r WHERE r.account = :account AND r.region = :region"
        " AND (:name = '' OR r.repository = :name) AND r.id > :after ORDER BY r.id LIMIT :limit",
        account=registry.account,
        region=registry.region,
        name=repository,
        after=after,
        limit=limit,
    )
    return [_image(row) for row in rows]


def content(tx: Transaction, removed_id: int) -> bytes:
    """The bytes of the manifest, as they were pushed."""
    row = tx.one("SELECT body FROM removed_image WHERE id = :id", id=removed_id)
    return bytes(row[0]) if row else b""


def tags_of(tx: Transaction, removed_id: int) -> list[str]:
    """The tags that the image had when it was deleted."""
    return [
        row[0] for row in tx.all("SELECT name FROM removed_tag WHERE removed_id = :id ORDER BY name", id=removed_id)
    ]


def layers_of(tx: Transaction, removed_id: int) -> list[int]:
    """Ids of the blobs that the image holds."""
    rows = tx.all("SELECT blob_id FROM removed_layer WHERE removed_id = :id ORDER BY blob_id", id=removed_id)
    return [row[0] for row in rows]
