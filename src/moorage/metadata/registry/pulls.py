"""What a pull reads and leaves: the manifest that a tag or a digest names, the list of what refers to it, its time."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from moorage.domain.registry.manifests import MANIFEST_LIMIT, OCI_INDEX
from moorage.metadata.database import Transaction
from moorage.metadata.registry.images import ACTIVE, COLUMNS, Image, StoredManifest

_PULL_BY_TAG = """
SELECT i.digest, i.media_type, m.body, i.id, i.last_pulled_at
FROM repository r
JOIN tag t ON t.repository_id = r.id AND t.name = :reference
JOIN image i ON i.id = t.image_id AND i.status = 'ACTIVE'
JOIN manifest m ON m.image_id = i.id
WHERE r.account = :account AND r.region = :region AND r.name = :name
"""

_PULL_BY_DIGEST = """
SELECT i.digest, i.media_type, m.body, i.id, i.last_pulled_at
FROM repository r
JOIN image i ON i.repository_id = r.id AND i.digest = :reference AND i.status = 'ACTIVE'
JOIN manifest m ON m.image_id = i.id
WHERE r.account = :account AND r.region = :region AND r.name = :name
"""


def pull(tx: Transaction, account: str, region: str, name: str, reference: str) -> StoredManifest | None:
    """The manifest that a tag or digest of a repository names; of a referrers tag, the list of what refers."""
    statement = _PULL_BY_DIGEST if ":" in reference else _PULL_BY_TAG
    row = tx.one(statement, account=account, region=region, name=name, reference=reference)
    pushed = StoredManifest(*row) if row else None
    if _REFERRERS_TAG.fullmatch(reference) is None or (pushed is not None and pushed.media_type != OCI_INDEX):
        return pushed
    found = tx.one(
        "SELECT id FROM repository WHERE account = :account AND region = :region AND name = :name",
        account=account,
        region=region,
        name=name,
    )
    return _list_of_tag(tx, found[0], reference, pushed) if found else None


def record(tx: Transaction, pulled: Mapping[int, int]) -> None:
    """Set when images, by id, were pulled last. An image that took the id of a deleted one in between is not meant."""
    tx.run_each(
        "UPDATE image SET last_pulled_at = :at"
        " WHERE id = :image AND pushed_at <= :at AND (last_pulled_at IS NULL OR last_pulled_at < :at)",
        [{"image": image_id, "at": at} for image_id, at in pulled.items()],
    )


# --- Referrers (docs/decisions/0012) --------------------------------------------------------------------------------

_REFERRERS_TAG: Final = re.compile(r"(sha256|sha512)-([a-f0-9]{64})", re.ASCII)
"""distribution-spec, "Referrers Tag Schema": of a digest by SHA-512 the first half only."""

_TAG_LIST_LIMIT: Final = 10_000
"""Entries of a list that is read by its tag: as many as an index may have that is pushed."""

_WANTED = """
    AND i.id > :after AND (:status = 'ANY' OR i.status = :status)
    AND (:typed = 0 OR i.artifact_type = ANY(:types))
"""

# The two parts have nothing in common: one names its subject, the other none at all. Each comes in the order of its
# index, which SQLite sees only if the second one takes the id from there.
_REFERRERS = f"""
SELECT {COLUMNS} FROM image i WHERE i.repository_id = :repository AND i.subject = :subject {_WANTED}
UNION ALL
SELECT {COLUMNS.replace("i.id", "c.child_id", 1)}
FROM image_child c JOIN image i ON i.id = c.child_id AND i.subject IS NULL AND i.digest <> :subject
WHERE c.parent_id = (
    SELECT l.id FROM tag t JOIN image l ON l.id = t.image_id AND l.media_type = '{OCI_INDEX}' AND l.digest <> :subject
    WHERE t.repository_id = :repository AND t.name = :tag
) {_WANTED}
ORDER BY 1 LIMIT :limit
"""


@dataclass(frozen=True, slots=True)
class ReferrerFilter:
    """Which referrers a list shows: of those artifact types or of all, and of one status or of "ANY"."""

    types: tuple[str, ...] = ()
    status: str = ACTIVE


def referrers(
    tx: Transaction, repository_id: int, subject: str, shown: ReferrerFilter, after: int, limit: int
) -> list[Image]:
    """What refers to `subject`, in the order it was pushed.

    That are the images whose manifests name it, and those without any subject that a client has listed under the
    referrers tag. At most `limit` of them, with ids behind `after`.
    """
    rows = tx.all(
        _REFERRERS,
        repository=repository_id,
        subject=subject,
        tag=_referrers_tag(subject),
        typed=len(shown.types),
        types=list(shown.types),
        status=shown.status,
        after=after,
        limit=limit,
    )
    return [Image(*row) for row in rows]


def listing(found: Sequence[Image]) -> tuple[bytes, int]:
    """An OCI index of the first of these images, and how many: what fits into 4 MiB, but at least one.

    No more than that is what clients take for sure (distribution-spec, "Pushing Manifests").
    """
    entries: list[msgspec.Raw] = []
    size = 0
    for image in found:
        entry = msgspec.json.encode(_descriptor(image))
        size += len(entry) + 1
        if entries and size > MANIFEST_LIMIT - 100:
            break
        entries.append(msgspec.Raw(entry))
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
    return msgspec.json.encode(index), len(entries)


def _descriptor(image: Image) -> dict[str, Any]:
    """distribution-spec, "Listing Referrers": with what the image's own manifest says of itself."""
    descriptor: dict[str, Any] = {"mediaType": image.media_type, "digest": image.digest, "size": image.manifest_size}
    if image.artifact_type:
        descriptor["artifactType"] = image.artifact_type
    if image.annotations != "{}":
        descriptor["annotations"] = msgspec.Raw(image.annotations.encode())
    return descriptor


def _referrers_tag(subject: str) -> str:
    """The tag under which clients list what refers to a digest; what is no digest has none."""
    algorithm, _, encoded = subject.partition(":")
    tag = f"{algorithm}-{encoded[:64]}"
    return tag if _REFERRERS_TAG.fullmatch(tag) else ""


def _list_of_tag(tx: Transaction, repository_id: int, tag: str, pushed: StoredManifest | None) -> StoredManifest | None:
    """What a referrers tag answers: the pushed list where it says what `referrers` says, else one made here."""
    subject = _subject_of(tx, repository_id, tag)
    if subject is None or (pushed is not None and pushed.digest == subject):
        return pushed
    found = referrers(tx, repository_id, subject, ReferrerFilter(), 0, _TAG_LIST_LIMIT)
    listed = _listed(pushed.body) if pushed else set()
    if listed == {image.digest for image in found}:
        return pushed
    body, _ = listing(found)
    return StoredManifest("sha256:" + hashlib.sha256(body).hexdigest(), OCI_INDEX, body)


def _subject_of(tx: Transaction, repository_id: int, tag: str) -> str | None:
    """The digest that a referrers tag is about; of one by SHA-512, only if something names it as its subject."""
    if tag.startswith("sha256-"):
        return tag.replace("-", ":")
    row = tx.one(
        "SELECT subject FROM image WHERE repository_id = :repository AND subject BETWEEN :first AND :beyond LIMIT 1",
        repository=repository_id,
        first=tag.replace("-", ":"),
        beyond=tag.replace("-", ":") + "g",
    )
    return row[0] if row else None


def _listed(body: bytes) -> set[str]:
    index = msgspec.json.decode(body, type=dict[str, Any])
    return {descriptor["digest"] for descriptor in index["manifests"]}
