"""Rows for pulls: manifests by tag or digest, referrers, and pull times."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from moorage.domain.registry.manifests import OCI_INDEX
from moorage.domain.registry.referrers import referrers_tag
from moorage.metadata.database import Transaction
from moorage.metadata.registry.images import ACTIVE, ARCHIVED, StoredManifest

_PULL_BY_TAG = """
SELECT i.digest, i.media_type, m.body, i.id, i.last_pulled_at, EXISTS (
    SELECT 1 FROM signature_requirement q WHERE q.account = :account AND q.region = :region
), t.check_at
FROM repository r
JOIN tag t ON t.repository_id = r.id AND t.name = :reference
JOIN image i ON i.id = t.image_id AND i.status = 'ACTIVE'
JOIN manifest m ON m.image_id = i.id
WHERE r.account = :account AND r.region = :region AND r.name = :name
"""

_PULL_BY_DIGEST = """
SELECT i.digest, i.media_type, m.body, i.id, i.last_pulled_at, EXISTS (
    SELECT 1 FROM signature_requirement q WHERE q.account = :account AND q.region = :region
), NULL
FROM repository r
JOIN image i ON i.repository_id = r.id AND i.digest = :reference AND i.status = 'ACTIVE'
JOIN manifest m ON m.image_id = i.id
WHERE r.account = :account AND r.region = :region AND r.name = :name
"""


def find_manifest(tx: Transaction, account: str, region: str, name: str, reference: str) -> StoredManifest | None:
    """The manifest of the active image with that tag or digest."""
    statement = _PULL_BY_DIGEST if ":" in reference else _PULL_BY_TAG
    row = tx.one(statement, account=account, region=region, name=name, reference=reference)
    if row is None:
        return None
    digest, media_type, body, image_id, last_pulled_at, is_guarded, check_at = row
    return StoredManifest(digest, media_type, body, image_id, last_pulled_at, bool(is_guarded), check_at)


def record(tx: Transaction, pulled: Mapping[int, int]) -> None:
    """Set the last pull times of images by id. Skips an image that has reused the id of a deleted one."""
    tx.run_each(
        "UPDATE image SET last_pulled_at = :at"
        " WHERE id = :image AND pushed_at <= :at AND (last_pulled_at IS NULL OR last_pulled_at < :at)",
        [{"image": image_id, "at": at} for image_id, at in pulled.items()],
    )


# --- Referrers --------------------------------------------------------------------------------

_COLUMNS = """
    i.digest, i.media_type, i.artifact_type, i.manifest_size, i.status, coalesce(octet_length(a.annotations), 0)
"""

_WITH_SUBJECT = f"""
SELECT i.id, {_COLUMNS}
FROM image i INDEXED BY %s LEFT JOIN image_annotations a ON a.image_id = i.id
WHERE i.repository_id = :repository AND i.subject = :subject AND i.status = %s %s
AND i.id + 0 > :after ORDER BY i.id + 0 LIMIT :limit
"""
"""A page of one range of an index: a status, and perhaps an artifact type. `images.py` explains `i.id + 0`."""

# Reads all images of an index, whose number is limited by the size of its manifest.
_LISTED = f"""
SELECT c.child_id, {_COLUMNS}
FROM image_child c JOIN image i ON i.id = c.child_id AND i.subject IS NULL AND i.digest <> :subject
LEFT JOIN image_annotations a ON a.image_id = i.id
WHERE c.parent_id = (
    SELECT l.id FROM tag t JOIN image l ON l.id = t.image_id AND l.media_type = '{OCI_INDEX}' AND l.digest <> :subject
    WHERE t.repository_id = :repository AND t.name = :tag
)
AND i.id > :after AND (:status = 'ANY' OR i.status = :status) AND (:typed = 0 OR i.artifact_type = ANY(:types))
ORDER BY 1 LIMIT :limit
"""


@dataclass(frozen=True, slots=True)
class ReferrerFilter:
    """A filter for referrers: artifact types (empty: all), and one status or "ANY"."""

    types: tuple[str, ...] = ()
    status: str = ACTIVE


@dataclass(frozen=True, slots=True)
class Referrer:
    """An image that refers to a subject. Sizes are bytes; `annotations_size` is 0 without annotations."""

    id: int
    digest: str
    media_type: str
    artifact_type: str | None
    manifest_size: int
    status: str
    annotations_size: int


def referrers(
    tx: Transaction, repository_id: int, subject: str, selected: ReferrerFilter, after: int, limit: int
) -> list[Referrer]:
    """The referrers of `subject`, oldest push first, without their annotations.

    These are the images with that subject, and images without any subject that a client has listed under the
    referrers tag. Returns at most `limit`, with ids after `after`.
    """
    types = list(dict.fromkeys(selected.types))
    rows = tx.all(
        _referrers(selected.status, len(types)),
        repository=repository_id,
        subject=subject,
        tag=referrers_tag(subject),
        typed=len(types),
        types=types,
        status=selected.status,
        after=after,
        limit=limit,
        **{f"type{number}": each for number, each in enumerate(types)},
    )
    return [Referrer(*row) for row in rows]


def _referrers(status: str, types: int) -> str:
    """A statement that merges a page of each range of referrers that matches, and those listed under the tag.

    The parts are disjoint: the listed images have no subject.
    """
    statuses = (f"'{ACTIVE}'", f"'{ARCHIVED}'") if status == "ANY" else (":status",)
    if types:
        conditions = [f"AND i.artifact_type = :type{number}" for number in range(types)]
        ranges = [("image_by_subject_and_type", each, condition) for each in statuses for condition in conditions]
    else:
        ranges = [("image_by_subject", each, "") for each in statuses]
    parts = [*(_WITH_SUBJECT % each for each in ranges), _LISTED]
    return " UNION ALL ".join(f"SELECT * FROM ({part}) AS part" for part in parts) + " ORDER BY 1 LIMIT :limit"


def annotations_of(tx: Transaction, image_ids: Iterable[int]) -> dict[int, str]:
    """The annotations of images by id, each a JSON object. Images without annotations are missing."""
    return dict(
        tx.all(
            "SELECT image_id, annotations FROM image_annotations WHERE image_id = ANY(:images)", images=list(image_ids)
        )
    )


def subject_of_tag(tx: Transaction, repository_id: int, tag: str) -> str | None:
    """The digest that a referrers tag stands for. For SHA-512, only if an image has it as its subject."""
    if tag.startswith("sha256-"):
        return tag.replace("-", ":")
    row = tx.one(
        "SELECT subject FROM image WHERE repository_id = :repository AND subject BETWEEN :first AND :beyond LIMIT 1",
        repository=repository_id,
        first=tag.replace("-", ":"),
        beyond=tag.replace("-", ":") + "g",
    )
    return row[0] if row else None
