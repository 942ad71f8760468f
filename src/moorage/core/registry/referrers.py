"""Referrers: the OCI index of the images that refer to a subject, and the manifest of a referrers tag."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from moorage.domain.registry.manifests import MANIFEST_LIMIT, OCI_INDEX
from moorage.metadata.database import Transaction
from moorage.metadata.registry import pulls
from moorage.metadata.registry.images import Image, StoredManifest
from moorage.metadata.registry.pulls import ReferrerFilter

_TAG_LIST_LIMIT: Final = 10_000
"""The maximum number of entries in the index of a referrers tag, the same as for a pushed index."""

_FRAME_BYTES: Final = 100
"""Room for the members of an index around its entries."""


def index_of(found: Sequence[Image]) -> tuple[bytes, int]:
    """An OCI index of these images, and how many it lists: as many as fit into 4 MiB, but at least one.

    Clients need not accept a larger manifest (distribution-spec, "Pushing Manifests").
    """
    entries: list[msgspec.Raw] = []
    size = 0
    for image in found:
        entry = msgspec.json.encode(_descriptor(image))
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
    if listed == {image.digest for image in found}:
        return pushed
    body, _ = index_of(found)
    return StoredManifest("sha256:" + hashlib.sha256(body).hexdigest(), OCI_INDEX, body)


def _descriptor(image: Image) -> dict[str, Any]:
    """An entry of the index, with artifact type and annotations (distribution-spec, "Listing Referrers")."""
    descriptor: dict[str, Any] = {"mediaType": image.media_type, "digest": image.digest, "size": image.manifest_size}
    if image.artifact_type:
        descriptor["artifactType"] = image.artifact_type
    if image.annotations != "{}":
        descriptor["annotations"] = msgspec.Raw(image.annotations.encode())
    return descriptor


def _listed_digests(body: bytes) -> set[str]:
    index = msgspec.json.decode(body, type=dict[str, Any])
    return {descriptor["digest"] for descriptor in index["manifests"]}
