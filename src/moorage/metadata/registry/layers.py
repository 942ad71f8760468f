"""Rows of blobs, of the repositories that may see them, and of uploads under way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from moorage.domain.names import Registry
from moorage.metadata.database import Transaction


@dataclass(frozen=True, slots=True)
class Blob:
    """A blob of the store. `reported_at`: when a client of the repository at hand was last told that it is there."""

    id: int
    digest: str
    size: int
    key: str
    reported_at: int = 0


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload under way. `size` bytes are stored and synced; what a file holds beyond them was never acknowledged."""

    id: str
    repository_id: int
    owner: str
    size: int
    parts: int
    last_part: int
    short_part: bool
    created_at: int


_START_UPLOAD = """
INSERT INTO upload (id, repository_id, owner, size, parts, last_part, short_part, created_at)
SELECT :id, r.id, :owner, 0, 0, 0, 0, :now FROM repository r
WHERE r.account = :account AND r.region = :region AND r.name = :name
RETURNING repository_id
"""


def start_upload(
    tx: Transaction, registry: Registry, repository: str, upload: str, owner: str, now: int
) -> Upload | None:
    """A new upload, or None when there is no such repository."""
    values = {"account": registry.account, "region": registry.region, "name": repository}
    row = tx.one(_START_UPLOAD, id=upload, owner=owner, now=now, **values)
    return Upload(upload, row[0], owner, 0, 0, 0, False, now) if row else None


def insert_upload(tx: Transaction, upload: Upload) -> None:
    tx.run(
        "INSERT INTO upload (id, repository_id, owner, size, parts, last_part, short_part, created_at)"
        " VALUES (:id, :repository, :owner, :size, :parts, :last_part, :short_part, :created_at)",
        id=upload.id,
        repository=upload.repository_id,
        owner=upload.owner,
        size=upload.size,
        parts=upload.parts,
        last_part=upload.last_part,
        short_part=int(upload.short_part),
        created_at=upload.created_at,
    )


_FIND_UPLOAD = """
SELECT u.id, r.id, u.owner, u.size, u.parts, u.last_part, u.short_part, u.created_at
FROM repository r LEFT JOIN upload u ON u.repository_id = r.id AND u.id = :id
WHERE r.account = :account AND r.region = :region AND r.name = :name
"""


def find_upload(tx: Transaction, registry: Registry, repository: str, upload: str) -> tuple[bool, Upload | None]:
    """Whether there is such a repository, and its upload; another repository's upload is not there."""
    row = tx.one(_FIND_UPLOAD, account=registry.account, region=registry.region, name=repository, id=upload)
    if row is None or row[0] is None:
        return row is not None, None
    return True, Upload(row[0], row[1], row[2], row[3], row[4], row[5], bool(row[6]), row[7])


def record_part(tx: Transaction, before: Upload, after: Upload) -> bool:
    """Set the upload to `after`; False when it is not as it was in `before`: another request was faster."""
    return bool(
        tx.run(
            "UPDATE upload SET size = :size, parts = :parts, last_part = :last_part, short_part = :short_part"
            " WHERE id = :id AND size = :size_before AND parts = :parts_before",
            id=after.id,
            size=after.size,
            parts=after.parts,
            last_part=after.last_part,
            short_part=int(after.short_part),
            size_before=before.size,
            parts_before=before.parts,
        )
    )


def delete_upload(tx: Transaction, upload: str) -> bool | None:
    """Whether the store has notes of it (`upload_states`); None when it is gone already."""
    noted = "EXISTS (SELECT 1 FROM upload_state WHERE upload = :id)"
    row = tx.one(f"DELETE FROM upload WHERE id = :id RETURNING {noted}", id=upload)
    return bool(row[0]) if row else None


def remember_finished(tx: Transaction, upload: Upload, digest: str, now: int) -> None:
    """Keep what became of an upload, until the collector forgets it."""
    tx.run(
        "INSERT INTO finished_upload (id, repository_id, owner, digest, finished_at)"
        " VALUES (:id, :repository, :owner, :digest, :now)",
        id=upload.id,
        repository=upload.repository_id,
        owner=upload.owner,
        digest=digest,
        now=now,
    )


def find_finished(tx: Transaction, upload: str, repository_id: int, owner: str, oldest: int) -> str | None:
    """The digest of the layer that an upload became; None when there was none such, or before `oldest`."""
    row = tx.one(
        "SELECT digest FROM finished_upload"
        " WHERE id = :id AND repository_id = :repository AND owner = :owner AND finished_at >= :oldest",
        oldest=oldest,
        id=upload,
        repository=repository_id,
        owner=owner,
    )
    return row[0] if row else None


_FIND_BLOB = "SELECT id, digest, size, storage_key FROM blob WHERE digest = :digest AND damaged_at IS NULL"


def find_blob(tx: Transaction, digest: str) -> Blob | None:
    """A blob of the store, whichever repositories may see it."""
    row = tx.one(_FIND_BLOB, digest=digest)
    return Blob(*row) if row else None


def lock_blob(tx: Transaction, digest: str) -> Blob | None:
    """`find_blob`, and nobody removes it before the transaction ends."""
    row = tx.one(f"{_FIND_BLOB} FOR SHARE", digest=digest)
    return Blob(*row) if row else None


def store_blob(tx: Transaction, digest: str, size: int, key: str, now: int) -> tuple[int, bool]:
    """The id of the blob with this digest, and whether its bytes are those of `key` now.

    They are when it is new, or was damaged; else it has bytes, and nobody removes it before the transaction ends.
    """
    # The usual case comes first, and looks at nothing that another transaction might add to meanwhile.
    row = tx.one(
        "INSERT INTO blob (digest, size, storage_key, created_at) VALUES (:digest, :size, :key, :now)"
        " ON CONFLICT (digest) DO NOTHING RETURNING id",
        digest=digest,
        size=size,
        key=key,
        now=now,
    ) or tx.one(
        "UPDATE blob SET storage_key = :key, damaged_at = NULL WHERE digest = :digest AND damaged_at IS NOT NULL"
        " RETURNING id",
        digest=digest,
        key=key,
    )
    if row is not None:
        return row[0], True
    known = lock_blob(tx, digest)
    assert known is not None  # noqa: S101 - for the type checker: it was in the way of the new one
    return known.id, False


def link_blob(tx: Transaction, repository_id: int, blob_id: int, now: int) -> bool:
    """Let a repository see a blob, and its images that waited for it have it; False when it could already."""
    is_new = tx.run(
        "INSERT INTO repository_layer (repository_id, blob_id, linked_at, told_at)"
        " VALUES (:repository, :blob, :now, :now) ON CONFLICT (repository_id, blob_id) DO NOTHING",
        repository=repository_id,
        blob=blob_id,
        now=now,
    )
    if is_new:
        _hand_over(tx, repository_id, blob_id)
    else:
        again = "UPDATE repository_layer SET told_at = :now WHERE repository_id = :repository AND blob_id = :blob"
        tx.run(again, repository=repository_id, blob=blob_id, now=now)
    return bool(is_new)


def _hand_over(tx: Transaction, repository_id: int, blob_id: int) -> None:
    """Record a blob that came at last as a layer of the images that name it."""
    waiting = "repository_id = :repository AND digest = (SELECT digest FROM blob WHERE id = :blob)"
    moved = tx.run(
        "INSERT INTO image_layer (image_id, blob_id, repository_id, media_type)"
        f" SELECT image_id, :blob, repository_id, media_type FROM awaited_layer WHERE {waiting} ON CONFLICT DO NOTHING",
        repository=repository_id,
        blob=blob_id,
    )
    if moved:
        tx.run(f"DELETE FROM awaited_layer WHERE {waiting}", repository=repository_id, blob=blob_id)


def await_layers(tx: Transaction, image_id: int, repository_id: int, layers: Iterable[tuple[str, str]]) -> None:
    """Record that an image names blobs that its repository does not see: pairs of digest and media type."""
    for digest, media_type in layers:
        tx.run(
            "INSERT INTO awaited_layer (repository_id, digest, image_id, media_type)"
            " VALUES (:repository, :digest, :image, :media_type) ON CONFLICT DO NOTHING",
            repository=repository_id,
            digest=digest,
            image=image_id,
            media_type=media_type,
        )


def tell(tx: Transaction, repository_id: int, digest: str, now: int) -> bool:
    """Begin a layer's grace period again, since a client is told of it; False when it is gone."""
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
    """A blob that the repository may see."""
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
    """Let a repository see a blob no more; False while an image of it needs the blob.

    The row is locked before it is looked what needs it: whoever is about to need it holds it (docs/decisions/0017).
    """
    this = "repository_id = :repository AND blob_id = :blob"
    tx.one(f"SELECT 1 FROM repository_layer WHERE {this} FOR UPDATE", repository=repository_id, blob=blob_id)
    if media_type_of(tx, repository_id, blob_id) is not None:
        return False
    return bool(tx.run(f"DELETE FROM repository_layer WHERE {this}", repository=repository_id, blob=blob_id))


def find_layer_by_name(tx: Transaction, account: str, region: str, name: str, digest: str) -> Blob | None:
    """`find_layer` in one statement with the repository's look-up, for the hot path."""
    row = tx.one(_FIND_LAYER_BY_NAME, account=account, region=region, name=name, digest=digest)
    return Blob(*row) if row else None


_REPOSITORIES_WITH = """
SELECT r.name
FROM blob b
JOIN repository_layer l ON l.blob_id = b.id
JOIN repository r ON r.id = l.repository_id
WHERE b.digest = :digest AND r.account = :account AND r.region = :region
ORDER BY r.id LIMIT :limit
"""


def repositories_with(tx: Transaction, registry: Registry, digest: str, limit: int) -> list[str]:
    """Names of at most `limit` repositories of the registry that may see a blob."""
    rows = tx.all(_REPOSITORIES_WITH, digest=digest, account=registry.account, region=registry.region, limit=limit)
    return [row[0] for row in rows]


_FIND_LAYERS = """
SELECT b.id, b.digest, b.size, b.storage_key, l.told_at
FROM blob b JOIN repository_layer l ON l.blob_id = b.id
WHERE l.repository_id = :repository AND b.digest = ANY(:digests) AND b.damaged_at IS NULL
"""


def find_layers(tx: Transaction, repository_id: int, digests: Iterable[str]) -> dict[str, Blob]:
    """Those of `digests` that the repository may see, by digest."""
    return _find_layers(tx, _FIND_LAYERS, repository_id, digests)


def lock_layers(tx: Transaction, repository_id: int, digests: Iterable[str]) -> dict[str, Blob]:
    """`find_layers`, and the repository sees them until the transaction ends."""
    return _find_layers(tx, f"{_FIND_LAYERS} ORDER BY b.id FOR SHARE OF l", repository_id, digests)


def _find_layers(tx: Transaction, statement: str, repository_id: int, digests: Iterable[str]) -> dict[str, Blob]:
    rows = tx.all(statement, repository=repository_id, digests=list(digests))
    return {row[1]: Blob(*row) for row in rows}


def is_active(tx: Transaction, repository_id: int, blob_id: int) -> bool:
    """Whether an image of the repository that is not archived references the blob."""
    row = tx.one(
        "SELECT 1 FROM image_layer l JOIN image i ON i.id = l.image_id AND i.status = 'ACTIVE'"
        " WHERE l.blob_id = :blob AND l.repository_id = :repository LIMIT 1",
        blob=blob_id,
        repository=repository_id,
    )
    return row is not None


def media_type_of(tx: Transaction, repository_id: int, blob_id: int) -> str | None:
    """The media type that an image of the repository gives the blob; None when no image references it."""
    row = tx.one(
        "SELECT media_type FROM image_layer WHERE blob_id = :blob AND repository_id = :repository LIMIT 1",
        blob=blob_id,
        repository=repository_id,
    )
    return row[0] if row else None
