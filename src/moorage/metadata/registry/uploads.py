"""Rows of uploads: of open ones, and of those that have ended lately."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from moorage.domain.names import Registry
from moorage.domain.ports import DEFAULT_ALGORITHM
from moorage.metadata.database import Transaction


class Upload(NamedTuple):
    """An upload. `size` bytes are stored and synced; a file may have more, which were never acknowledged.

    `kept` of these are stored and synced, too: an interrupted request left them (`Layers.status`). `algorithm` hashes
    them while they arrive. An upload that is not recorded has no row, and at most one small part, which may not be
    synced (docs/decisions/0066). `has_blob`: whether there is a blob with its digest; None if nobody has looked since
    all its bytes arrived.
    """

    id: str
    repository_id: int
    owner: str
    size: int
    parts: int
    last_part: int
    short_part: bool
    created_at: int
    kept: int = 0
    algorithm: str = DEFAULT_ALGORITHM
    is_recorded: bool = True
    has_blob: bool | None = None


_START_UPLOAD = """
INSERT INTO upload (id, repository_id, owner, size, parts, last_part, short_part, created_at, algorithm)
SELECT :id, r.id, :owner, 0, 0, 0, 0, :now, :algorithm FROM repository r
WHERE r.account = :account AND r.region = :region AND r.name = :name
RETURNING repository_id
"""


def start_upload(tx: Transaction, registry: Registry, repository: str, new: Upload) -> Upload | None:
    """Insert a new upload, which gets the repository's id; None when the repository does not exist."""
    values = {"account": registry.account, "region": registry.region, "name": repository}
    row = tx.one(_START_UPLOAD, id=new.id, owner=new.owner, now=new.created_at, algorithm=new.algorithm, **values)
    return new._replace(repository_id=row[0]) if row else None


_OPEN_UPLOADS = """
SELECT r.id, r.created_at, counted.number, counted.size,
    EXISTS (SELECT 1 FROM move WHERE role = 'source' AND state <> 'open')
FROM (
    SELECT count(*) AS number, coalesce(sum(size), 0) AS size FROM (
        SELECT u.size + u.kept AS size FROM repository r JOIN upload u ON u.repository_id = r.id
        WHERE r.account = :account AND r.region = :region AND r.name = :name
          AND u.owner >= :principal AND u.owner < :beyond
        LIMIT :limit
    ) AS found
) AS counted
LEFT JOIN repository r ON r.account = :account AND r.region = :region AND r.name = :name
"""


class UploadPlace(NamedTuple):
    """The repository of an upload: its id, which a later repository can get again, and when it was created."""

    repository_id: int
    created_at: int


class OpenUploadRows(NamedTuple):
    """The number and the bytes of open uploads that have a row, and their repository, if it exists.

    `is_sealed`: the database accepts no changes (`records.is_sealed`).
    """

    repository: UploadPlace | None
    number: int
    size: int
    is_sealed: bool


def open_uploads(tx: Transaction, registry: Registry, repository: str, principal: str, limit: int) -> OpenUploadRows:
    """The open uploads of a user or role in a repository. Counts `limit` uploads at most.

    The owner of an upload is the unique id of the user, or of the role with `:` and the name of a session. Unique ids
    have one length, so none begins with another.
    """
    values = {"account": registry.account, "region": registry.region, "name": repository, "limit": limit}
    row = tx.one(_OPEN_UPLOADS, principal=principal, beyond=f"{principal};", **values)  # `;` comes after `:`
    if row is None:
        return OpenUploadRows(None, 0, 0, is_sealed=False)
    return OpenUploadRows(None if row[0] is None else UploadPlace(row[0], row[1]), row[2], row[3], bool(row[4]))


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


_RECORD_UPLOAD = """
INSERT INTO upload (id, repository_id, owner, size, parts, last_part, short_part, created_at, algorithm)
SELECT :id, r.id, :owner, :size, :parts, :last_part, 0, :created_at, :algorithm FROM repository r
WHERE r.id = :repository AND NOT EXISTS (SELECT 1 FROM finished_upload WHERE id = :id)
ON CONFLICT DO NOTHING
"""


def record_upload(tx: Transaction, upload: Upload) -> bool:
    """Give a row to an upload that has none. False if it has one already, or has ended."""
    return bool(
        tx.run(
            _RECORD_UPLOAD,
            id=upload.id,
            repository=upload.repository_id,
            owner=upload.owner,
            size=upload.size,
            parts=upload.parts,
            last_part=upload.last_part,
            created_at=upload.created_at,
            algorithm=upload.algorithm,
        )
    )


def known_to_rows(tx: Transaction, ids: Sequence[str]) -> set[str]:
    """Those of some uploads that have a row, or have ended."""
    statement = (
        "SELECT id FROM upload WHERE id = ANY(:uploads) UNION ALL"
        " SELECT id FROM finished_upload WHERE id = ANY(:uploads)"
    )
    return {row[0] for row in tx.all(statement, uploads=ids)}


_FIND_UPLOAD = """
SELECT u.id, r.id, u.owner, u.size, u.parts, u.last_part, u.short_part, u.created_at, u.kept, u.algorithm,
    r.created_at, EXISTS (SELECT 1 FROM finished_upload f WHERE f.id = :id),
    EXISTS (SELECT 1 FROM blob b WHERE b.digest = :digest AND b.damaged_at IS NULL)
FROM repository r LEFT JOIN upload u ON u.repository_id = r.id AND u.id = :id
WHERE r.account = :account AND r.region = :region AND r.name = :name
"""


class FoundUpload(NamedTuple):
    """The repository if it exists, its upload if that has a row, and whether the upload has ended.

    `has_blob` is that of the upload, which need not have a row.
    """

    repository: UploadPlace | None
    upload: Upload | None
    has_ended: bool = False
    has_blob: bool | None = None


def find_upload(tx: Transaction, registry: Registry, repository: str, upload: str, digest: str = "") -> FoundUpload:
    """The repository, and its upload; uploads of other repositories are not found.

    `digest` is the one that completes the upload, if the caller knows it.
    """
    place = {"account": registry.account, "region": registry.region, "name": repository}
    row = tx.one(_FIND_UPLOAD, id=upload, digest=digest, **place)
    if row is None:
        return FoundUpload(None, None)
    found_in, has_blob = UploadPlace(row[1], row[10]), bool(row[12]) if digest else None
    if row[0] is None:
        return FoundUpload(found_in, None, bool(row[11]), has_blob)
    found = Upload(row[0], row[1], row[2], row[3], row[4], row[5], bool(row[6]), row[7], row[8], row[9])
    return FoundUpload(found_in, found._replace(has_blob=has_blob), has_blob=has_blob)


def record_part(tx: Transaction, before: Upload, after: Upload) -> bool:
    """Replace `before` by `after`; False when another request has changed the upload meanwhile.

    So `after` can count the kept bytes of `before` only while they are there: an append records that they no longer
    count before it overwrites them.
    """
    return bool(
        tx.run(
            "UPDATE upload"
            " SET size = :size, kept = :kept, parts = :parts, last_part = :last_part, short_part = :short_part"
            " WHERE id = :id AND size = :size_before AND parts = :parts_before AND kept >= :kept_before",
            id=after.id,
            size=after.size,
            parts=after.parts,
            last_part=after.last_part,
            short_part=int(after.short_part),
            kept=after.kept,
            size_before=before.size,
            parts_before=before.parts,
            kept_before=before.kept,
        )
    )


def repository_of_upload(tx: Transaction, upload: str) -> int | None:
    """The id of the repository of an upload; None if the upload has ended."""
    row = tx.one("SELECT repository_id FROM upload WHERE id = :id", id=upload)
    return row[0] if row else None


def delete_upload(tx: Transaction, upload: str) -> bool | None:
    """Delete an upload. Returns whether the blob store has a state of it (`upload_states`); None if it was gone."""
    has_state = "EXISTS (SELECT 1 FROM upload_state WHERE upload = :id)"
    row = tx.one(f"DELETE FROM upload WHERE id = :id RETURNING {has_state}", id=upload)
    return bool(row[0]) if row else None


def record_finished(tx: Transaction, upload: Upload, digest: str, now: int) -> bool:
    """Record the result of an upload, until the collector deletes the record. False if it has ended, or has a row.

    The digest of a canceled upload is empty: the record only shows that it has ended.
    """
    return bool(
        tx.run(
            "INSERT INTO finished_upload (id, repository_id, owner, digest, finished_at)"
            " SELECT :id, :repository, :owner, :digest, :now"
            " WHERE NOT EXISTS (SELECT 1 FROM upload WHERE id = :id) ON CONFLICT DO NOTHING",
            id=upload.id,
            repository=upload.repository_id,
            owner=upload.owner,
            digest=digest,
            now=now,
        )
    )


def find_finished(tx: Transaction, upload: str, repository_id: int, owner: str, oldest: int) -> str | None:
    """The digest of the layer that an upload became; None if it did not, or before `oldest`."""
    row = tx.one(
        "SELECT digest FROM finished_upload"
        " WHERE id = :id AND repository_id = :repository AND owner = :owner AND finished_at >= :oldest",
        oldest=oldest,
        id=upload,
        repository=repository_id,
        owner=owner,
    )
    return row[0] if row else None
