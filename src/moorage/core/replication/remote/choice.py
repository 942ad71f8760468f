"""What a destination gets of an image now: its tags there, its layers, or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from moorage.domain.names import Registry
from moorage.domain.registry.manifests import parse_manifest
from moorage.domain.remote_registries import RemoteManifest
from moorage.domain.replication.destinations import SIGNATURE_TYPES, Selection, cosign_tag, signed_by_tag
from moorage.metadata.database import Transaction
from moorage.metadata.registry import images, layers
from moorage.metadata.registry.images import Image
from moorage.metadata.registry.layers import Blob
from moorage.metadata.registry.repositories import Repository

_LONGEST_CHAIN: Final = 16
"""Referrers of referrers that are followed."""


@dataclass(frozen=True, slots=True)
class Copy:
    """An image as it has to arrive. `missing` are layers that this registry does not have itself."""

    manifest: RemoteManifest
    layers: Sequence[Blob]
    tags: Sequence[str]
    missing: Sequence[str]


def origin_of(source: Registry) -> str:
    """The registry that images come from, as another Moorage gets it with them."""
    return f"{source.account}/{source.region}"


def copy_of(tx: Transaction, source: Repository, image: Image, tags: Iterable[str]) -> Copy:
    """An image with those of the tags that still name it."""
    body = images.manifest_body(tx, image.id)
    wanted = [layer for layer in parse_manifest(body, image.media_type).layers if not layer.is_foreign]
    found = layers.find_layers(tx, image.repository_id, {layer.digest for layer in wanted})
    current = set(images.tags_of(tx, image.id))
    return Copy(
        manifest=RemoteManifest(body, image.media_type, image.digest, origin_of(source.registry)),
        layers=list(found.values()),
        tags=[tag for tag in tags if tag in current],
        missing=[layer.digest for layer in wanted if layer.digest not in found],
    )


def is_chosen(tx: Transaction, selection: Selection, image: Image, tags: Sequence[str]) -> bool:
    """Whether a destination gets an image, which may have no tag.

    One that refers to another image, such as a signature, goes where that image goes.
    """
    for _ in range(_LONGEST_CHAIN):
        digest = image.subject or next(filter(None, map(signed_by_tag, tags)), None)
        if digest is None:
            break
        subject = images.find(tx, image.repository_id, digest)
        if subject is None:
            return not selection.only_signed and selection.takes_all_tags
        image, tags = subject, images.tags_of(tx, subject.id)
    if not selection.takes_all_tags and not any(map(selection.takes_tag, tags)):
        return False
    return not selection.only_signed or is_signed(tx, image)


def is_signed(tx: Transaction, image: Image) -> bool:
    """Whether an image has a signature by Notation or cosign: as a referrer, or under cosign's tag."""
    referrers = images.with_subject(tx, image.repository_id, image.digest)
    if any(referrer.artifact_type in SIGNATURE_TYPES for referrer in referrers):
        return True
    return images.find_tagged(tx, image.repository_id, cosign_tag(image.digest)) is not None


def subject_of(tx: Transaction, image: Image, tags: Iterable[str]) -> Image | None:
    """The image that a signature is for; None for an image that is not a signature."""
    digest = next(filter(None, map(signed_by_tag, tags)), None)
    if image.subject is not None and image.artifact_type in SIGNATURE_TYPES:
        digest = image.subject
    return None if digest is None else images.find(tx, image.repository_id, digest)
