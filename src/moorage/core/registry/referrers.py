"""Referrers: the OCI index of the images that refer to a subject, and the manifest of a referrers tag."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from moorage.core.pages import Page, number_that_fits
from moorage.domain.registry.manifests import MANIFEST_LIMIT, OCI_INDEX
from moorage.metadata.database import Transaction
from moorage.metadata.registry import pulls
from moorage.metadata.registry.images import StoredManifest
from moorage.metadata.registry.pulls import Referrer, ReferrerFilter

_TAG_LIST_LIMIT: Final = 10_000
"""The maximum number of entries in the index of a referrers tag, the same as for a pushed index."""

_FRAME_BYTES: Final = 100
"""Room for the members of an index around its entries."""


@dataclass(frozen=True, slots=True)
class ReferrersPage:
    """Referrers with the annotations of those that have any, by image id. `more` if others follow."""

    referrers: Sequence[Referrer]
    annotations: dict[int, str]
    more: bool


def with_annotations(tx: Transaction, found: Sequence[Referrer], limit: int) -> ReferrersPage:
    """The first `limit` of the referrers, or as many of them as have 4 MiB of annotations together, but at least one.

    A response contains all annotations of its page, and each image can have 4 MiB of them.
    """
    number = number_that_fits((referrer.annotations_size for referrer in found[:limit]), MANIFEST_LIMIT)
    page = found[:number]
    annotated = [referrer.id for referrer in page if referrer.annotations_size]
    return ReferrersPage(page, pulls.annotations_of(tx, annotated), more=number < len(found))


def page_of_referrers(
    tx: Transaction, repository_id: int, subject: str, selected: ReferrerFilter, page: Page[tuple[int]]
) -> ReferrersPage:
    """A page of the images that are here. Negative positions are behind all of them: those of upstream referrers."""
    (after,) = page.after
    if after < 0:
        return ReferrersPage([], {}, more=False)
    found = pulls.referrers(tx, repository_id, subject, selected, after, page.fetch)
    return with_annotations(tx, found, page.limit)


def index_of(page: ReferrersPage) -> tuple[bytes, int]:
    """An OCI index of these images, and how many it lists: as many as fit into 4 MiB, but at least one.

    Clients need not accept a larger manifest (distribution-spec, "Pushing Manifests").
    """
    entries: list[msgspec.Raw] = []
    size = 0
    for referrer in page.referrers:
        entry = msgspec.json.encode(_descriptor(referrer, page.annotations.get(referrer.id)))
        size += len(entry) + 1
        if entries and size > MANIFEST_LIMIT - _FRAME_BYTES:
            break
        entries.append(msgspec.Raw(entry))
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
    return msgspec.json.encode(index), len(entries)


def list_under_tag(
    tx: Transaction, repository_id: int, tag: str, pushed: StoredManifest | None
) -> StoredManifest | None:
    """The manifest of a referrers tag: the pushed one if it lists all referrers, otherwise a generated index."""
    subject = pulls.subject_of_tag(tx, repository_id, tag)
    if subject is None or (pushed is not None and pushed.digest == subject):
        return pushed
    found = pulls.referrers(tx, repository_id, subject, ReferrerFilter(), 0, _TAG_LIST_LIMIT)
    listed = _listed_digests(pushed.body) if pushed else set()
    if listed == {referrer.digest for referrer in found}:
        return pushed
    body, _ = index_of(with_annotations(tx, found, _TAG_LIST_LIMIT))
    return StoredManifest("sha256:" + hashlib.sha256(body).hexdigest(), OCI_INDEX, body)


def _descriptor(referrer: Referrer, annotations: str | None) -> dict[str, Any]:
    """An entry of the index, with artifact type and annotations (distribution-spec, "Listing Referrers")."""
    descriptor: dict[str, Any] = {
        "mediaType": referrer.media_type,
        "digest": referrer.digest,
        "size": referrer.manifest_size,
    }
    if referrer.artifact_type:
        descriptor["artifactType"] = referrer.artifact_type
    if annotations is not None:
        descriptor["annotations"] = msgspec.Raw(annotations.encode())
    return descriptor


class _Entry(msgspec.Struct):
    digest: str


class _Index(msgspec.Struct):
    """The members of an index that are needed here. msgspec skips all others, which can be large."""

    manifests: list[_Entry]


def _listed_digests(body: bytes) -> set[str]:
    return {entry.digest for entry in msgspec.json.decode(body, type=_Index).manifests}
