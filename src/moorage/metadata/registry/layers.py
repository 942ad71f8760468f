"""Rows of blobs, and of their visibility in repositories."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from moorage.domain.names import Registry
from moorage.metadata.database import Transaction
from moorage.metadata.registry.uploads import Upload


@dataclass(frozen=True, slots=True)
class Blob:
    """A blob. `reported_at`: when a client of the current repository last learned that it exists."""

    id: int
    digest: str
    size: int
    key: str
    reported_at: int = 0


_FIND_BLOB = "SELECT id, digest, size, storage_key FROM blob WHERE digest = :digest AND damaged_at IS NULL"


def find_blob(tx: Transaction, digest: str) -> Blob | None:
    """A blob, independent of the repositories that can see it."""
    row = tx.one(_FIND_BLOB, digest=digest)
    return Blob(*row) if row else None


def lock_blob(tx: Transaction, digest: str) -> Blob | None:
    """`find_blob`; the blob cannot be deleted before the transaction ends."""
    row = tx.one(f"{_FIND_BLOB} FOR SHARE", digest=digest)
    return Blob(*row) if row else None


_STORE: Final = """
INSERT INTO blob (digest, size, storage_key, created_at) VALUES (:digest, :size, :key, :now)
ON CONFLICT (digest) DO NOTHING RETURNING id
"""


def store_blob(tx: Transaction, digest: str, size: int, key: str, now: int) -> tuple[int, bool]:
    """The id of the blob with this digest, and whether it now has the bytes under `key`.

    It has them when it is new or was damaged. Otherwise it keeps its bytes and is locked until the transaction ends.
    """
    # The usual case first: it reads nothing that a concurrent transaction might insert.
    row = tx.one(_STORE, digest=digest, size=size, key=key, now=now) or tx.one(
        "UPDATE blob SET storage_key = :key, damaged_at = NULL WHERE digest = :digest AND damaged_at IS NOT NULL"
        " RETURNING id",
        digest=digest,
        key=key,
    )
    if row is not None:
        return row[0], True
    known = lock_blob(tx, digest)
    assert known is not None  # noqa: S101 - for the type checker: the insert conflicted with it
    return known.id, False


_WAITING: Final = "repository_id = :repository AND digest = (SELECT digest FROM blob WHERE id = :blob)"
"""The rows of `awaited_layer` of images that wait for a blob."""


class Completed(NamedTuple):
    """What `complete` wrote: a new blob, and the end of the upload. `is_awaited`: images wait for the new layer."""

    blob_id: int | None = None
    has_ended: bool = False
    is_awaited: bool = False


_END_UPLOAD: Final = """
INSERT INTO finished_upload (id, repository_id, owner, digest, finished_at)
SELECT :upload, :repository, :owner, :digest, :now WHERE NOT EXISTS (SELECT 1 FROM upload WHERE id = :upload)
ON CONFLICT DO NOTHING RETURNING 1
"""
_LINK: Final = """
INSERT INTO repository_layer (repository_id, blob_id, linked_at, told_at)
SELECT :repository, :result_1, :now, :now WHERE :result_1 IS NOT NULL RETURNING CASE WHEN EXISTS
    (SELECT 1 FROM awaited_layer WHERE repository_id = :repository AND digest = :digest) THEN 1 ELSE 0 END
"""


def complete(tx: Transaction, upload: Upload, digest: str, key: str, now: int) -> Completed:
    """Make a new blob of an upload that has no row, visible in its repository. Each part is left out if it exists."""
    blob_id, ended, awaited = tx.insert_all(
        [_STORE, _END_UPLOAD, _LINK],
        digest=digest,
        size=upload.size,
        key=key,
        now=now,
        upload=upload.id,
        repository=upload.repository_id,
        owner=upload.owner,
    )
    return Completed(blob_id, ended is not None, bool(awaited))


def link_blob(tx: Transaction, repository_id: int, blob_id: int, now: int) -> bool:
    """Make a blob visible to a repository and add it to images that wait for it. False when it was visible before."""
    added = tx.one(
        "INSERT INTO repository_layer (repository_id, blob_id, linked_at, told_at)"
        " VALUES (:repository, :blob, :now, :now) ON CONFLICT (repository_id, blob_id) DO NOTHING"
        f" RETURNING EXISTS (SELECT 1 FROM awaited_layer WHERE {_WAITING})",
        repository=repository_id,
        blob=blob_id,
        now=now,
    )
    if added is None:
        restart = "UPDATE repository_layer SET told_at = :now WHERE repository_id = :repository AND blob_id = :blob"
        tx.run(restart, repository=repository_id, blob=blob_id, now=now)
    elif added[0]:
        resolve_awaited(tx, repository_id, blob_id)
    return added is not None


def resolve_awaited(tx: Transaction, repository_id: int, blob_id: int) -> None:
    """Add a blob that has arrived late to the images that name it, and its size to theirs."""
    tx.run(
        "INSERT INTO image_layer (image_id, blob_id, repository_id, media_type)"
        f" SELECT image_id, :blob, repository_id, media_type FROM awaited_layer WHERE {_WAITING}"
        " ON CONFLICT DO NOTHING",
        repository=repository_id,
        blob=blob_id,
    )
    tx.run(
        "UPDATE image SET size = size + (SELECT size FROM blob WHERE id = :blob)"
        f" WHERE id IN (SELECT image_id FROM awaited_layer WHERE {_WAITING})",
        repository=repository_id,
        blob=blob_id,
    )
    tx.run(f"DELETE FROM awaited_layer WHERE {_WAITING}", repository=repository_id, blob=blob_id)


def await_layers(tx: Transaction, image_id: int, repository_id: int, layers: Iterable[tuple[str, str]]) -> None:
    """Record blobs that an image names but its repository cannot see: pairs of digest and media type."""
    for digest, media_type in layers:
        tx.run(
            "INSERT INTO awaited_layer (repository_id, digest, image_id, media_type)"
            " VALUES (:repository, :digest, :image, :media_type) ON CONFLICT DO NOTHING",
            repository=repository_id,
            digest=digest,
            image=image_id,
            media_type=media_type,
        )


def restart_grace_period(tx: Transaction, repository_id: int, digest: str, now: int) -> bool:
    """Restart a layer's grace period, because it is reported to a client. False if it does not exist."""
    return bool(
        tx.run(
            "UPDATE repository_layer SET told_at = :now"
            " WHERE repository_id = :repository AND blob_id = (SELECT id FROM blob WHERE digest = :digest)",
            repository=repository_id,
            digest=digest,
            now=now,
        )
    )


_FIND_LAYER = """
SELECT b.id, b.digest, b.size, b.storage_key, l.told_at
FROM blob b JOIN repository_layer l ON l.blob_id = b.id
WHERE l.repository_id = :repository AND b.digest = :digest AND b.damaged_at IS NULL
"""


def find_layer(tx: Transaction, repository_id: int, digest: str) -> Blob | None:
    """A blob that the repository can see."""
    row = tx.one(_FIND_LAYER, repository=repository_id, digest=digest)
    return Blob(*row) if row else None


_FIND_LAYER_BY_NAME = """
SELECT b.id, b.digest, b.size, b.storage_key, l.told_at
FROM repository r
JOIN blob b ON b.digest = :digest AND b.damaged_at IS NULL
JOIN repository_layer l ON l.repository_id = r.id AND l.blob_id = b.id
WHERE r.account = :account AND r.region = :region AND r.name = :name
"""


def unlink_blob(tx: Transaction, repository_id: int, blob_id: int) -> bool:
    """Make a blob invisible to a repository; False while an image of the repository references it.

    The row is locked before the check; a transaction that is about to reference it holds that lock
    (docs/decisions/0017).
    """
    this = "repository_id = :repository AND blob_id = :blob"
    tx.one(f"SELECT 1 FROM repository_layer WHERE {this} FOR UPDATE", repository=repository_id, blob=blob_id)
    if media_type_of(tx, repository_id, blob_id) is not None:
        return False
    return bool(tx.run(f"DELETE FROM repository_layer WHERE {this}", repository=repository_id, blob=blob_id))


def find_layer_by_name(tx: Transaction, account: str, region: str, name: str, digest: str) -> Blob | None:
    """`find_layer` and the lookup of the repository in one statement, for the hot path."""
    row = tx.one(_FIND_LAYER_BY_NAME, account=account, region=region, name=name, digest=digest)
    return Blob(*row) if row else None


_LOOK_UP: Final = """
SELECT b.id, b.digest, b.size, b.storage_key, l.told_at
FROM repository r
LEFT JOIN blob b ON b.digest = :digest AND b.damaged_at IS NULL
LEFT JOIN repository_layer l ON l.repository_id = r.id AND l.blob_id = b.id
WHERE r.account = :account AND r.region = :region AND r.name = :name
"""


class FoundLayer(NamedTuple):
    """The layer, if the repository can see it, and whether the repository exists."""

    blob: Blob | None
    has_repository: bool


def look_up(tx: Transaction, registry: Registry, name: str, digest: str) -> FoundLayer:
    """`find_layer_by_name`, which tells a missing layer from a missing repository."""
    row = tx.one(_LOOK_UP, account=registry.account, region=registry.region, name=name, digest=digest)
    if row is None:
        return FoundLayer(None, has_repository=False)
    return FoundLayer(None if row[4] is None else Blob(*row), has_repository=True)


_HOLDERS: Final = 100
"""Repositories of all registries among which `repositories_with` looks: many can hold a common base layer."""

# SQLite reads tables in the order of a CROSS JOIN. Otherwise it may begin with all repositories of the registry.
_REPOSITORIES_WITH = f"""
SELECT r.name
FROM (
    SELECT repository_id FROM repository_layer WHERE blob_id = (SELECT id FROM blob WHERE digest = :digest)
    ORDER BY repository_id LIMIT {_HOLDERS}
) l CROSS JOIN repository r
WHERE r.id = l.repository_id AND r.account = :account AND r.region = :region
ORDER BY l.repository_id LIMIT :limit
"""


def repositories_with(tx: Transaction, registry: Registry, digest: str, limit: int) -> list[str]:
    """The names of at most `limit` repositories of the registry that can see a blob, of the first that hold it."""
    rows = tx.all(_REPOSITORIES_WITH, digest=digest, account=registry.account, region=registry.region, limit=limit)
    return [row[0] for row in rows]


# The same here: otherwise it may begin with all layers of the repository.
_FIND_LAYERS = """
SELECT b.id, b.digest, b.size, b.storage_key, l.told_at
FROM blob b CROSS JOIN repository_layer l
WHERE b.digest = ANY(:digests) AND b.damaged_at IS NULL AND l.repository_id = :repository AND l.blob_id = b.id
"""


def find_layers(tx: Transaction, repository_id: int, digests: Iterable[str]) -> dict[str, Blob]:
    """The layers with these digests that the repository can see, by digest."""
    return _find_layers(tx, _FIND_LAYERS, repository_id, digests)


def lock_layers(tx: Transaction, repository_id: int, digests: Iterable[str]) -> dict[str, Blob]:
    """`find_layers`; the layers stay visible until the transaction ends."""
    return _find_layers(tx, f"{_FIND_LAYERS} ORDER BY b.id FOR SHARE OF l", repository_id, digests)


def _find_layers(tx: Transaction, statement: str, repository_id: int, digests: Iterable[str]) -> dict[str, Blob]:
    rows = tx.all(statement, repository=repository_id, digests=list(digests))
    return {row[1]: Blob(*row) for row in rows}


def existing(tx: Transaction, digests: Sequence[str]) -> set[str]:
    """Those of the digests that blobs have, whichever repositories can see them."""
    if not digests:
        return set()
    rows = tx.all("SELECT digest FROM blob WHERE digest = ANY(:digests) AND damaged_at IS NULL", digests=list(digests))
    return {row[0] for row in rows}


def is_active(tx: Transaction, repository_id: int, blob_id: int) -> bool:
    """Whether an active image of the repository references the blob."""
    row = tx.one(
        "SELECT 1 FROM image_layer l JOIN image i ON i.id = l.image_id AND i.status = 'ACTIVE'"
        " WHERE l.blob_id = :blob AND l.repository_id = :repository LIMIT 1",
        blob=blob_id,
        repository=repository_id,
    )
    return row is not None


def media_type_of(tx: Transaction, repository_id: int, blob_id: int) -> str | None:
    """The media type of the blob in an image of the repository; None when no image references it."""
    row = tx.one(
        "SELECT media_type FROM image_layer WHERE blob_id = :blob AND repository_id = :repository LIMIT 1",
        blob=blob_id,
        repository=repository_id,
    )
    return row[0] if row else None
