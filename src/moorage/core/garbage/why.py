"""Explain what keeps a blob or an image, and when it will be removed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from typing import Final

from moorage.core.garbage.grace import grace_end
from moorage.domain.units import iso_time
from moorage.metadata.database import Transaction
from moorage.metadata.garbage import deleted_images, references
from moorage.metadata.garbage.references import BlobView, ImageReference
from moorage.metadata.registry import images, layers
from moorage.metadata.registry.repositories import Repository


class Reason(Enum):
    """Why a blob or an image is kept. The value is its name in the operating API."""

    IMAGE = "IMAGE"
    INDEX = "INDEX"
    REFERRER = "REFERRER"
    DELETED_IMAGE = "DELETED_IMAGE"
    LAYER = "LAYER"
    UNREFERENCED_LAYER = "UNREFERENCED_LAYER"
    DELETED_LAYER = "DELETED_LAYER"
    STORED = "STORED"
    DAMAGED = "DAMAGED"
    REMOVED_ROW = "REMOVED_ROW"


_TEXTS: Final[Mapping[Reason, str]] = {
    Reason.IMAGE: "an image, {tags}; images stay until they are deleted",
    Reason.INDEX: "index {name} lists it, so it cannot be deleted",
    Reason.REFERRER: "image {name} refers to it as its subject",
    Reason.DELETED_IMAGE: "a deleted image: `moorage undelete` brings it back",
    Reason.LAYER: "image {name} references it, {tags}",
    Reason.UNREFERENCED_LAYER: "no image references it, but its grace period is not over",
    Reason.DELETED_LAYER: "deleted image {name} references it",
    Reason.STORED: "stored as {name}",
    Reason.DAMAGED: "{name} was found damaged or missing on {since}: push the layer again",
    Reason.REMOVED_ROW: "the row of {name} was removed, and its bytes stay",
}


@dataclass(frozen=True, slots=True)
class Retention:
    """One reason to keep a blob or image: where (a repository, or the store), why, and until when if it ends.

    `name` is what keeps it: the digest of an image, or a storage key.
    """

    where: str
    reason: Reason
    until: int | None = None
    name: str = ""
    tags: tuple[str, ...] = ()
    since: int = 0

    @property
    def text(self) -> str:
        tags = f"tagged {', '.join(self.tags)}" if self.tags else "without a tag"
        return _TEXTS[self.reason].format(name=self.name, tags=tags, since=iso_time(self.since))


def why(tx: Transaction, digest: str, grace: int) -> list[Retention]:
    """Everything that keeps the blob or image with a digest; empty if there is none."""
    return [*_image_retentions(tx, digest, grace), *_blob_retentions(tx, digest, grace)]


def why_in(tx: Transaction, repository: Repository, digest: str, grace: int, limit: int) -> list[Retention]:
    """At most `limit` reasons that keep the layer or image with a digest in a repository; empty if it is not there."""
    return list(islice(_retentions_in(tx, repository, digest, grace, limit), limit))


def _retentions_in(tx: Transaction, repository: Repository, digest: str, grace: int, limit: int) -> Iterator[Retention]:
    registry = repository.registry
    where = f"{registry.account}/{registry.region}"
    found = images.find(tx, repository.id, digest)
    if found is not None:
        yield from _of_image(tx, ImageReference(found.id, repository.id, where, repository.name, digest), limit)
    removed = deleted_images.find(tx, repository, digest)
    if removed is not None:
        yield Retention(f"{where}/{repository.name}", Reason.DELETED_IMAGE, removed.deleted_at + grace)
    for view in references.repositories_with_blob(tx, digest, repository.id):
        yield from _layer_retentions(tx, view, digest, grace, limit)
    for deleted in references.images_deleted_from(tx, repository, digest, limit):
        until = deleted.deleted_at + grace
        yield Retention(f"{where}/{repository.name}", Reason.DELETED_LAYER, until, deleted.digest)


def _image_retentions(tx: Transaction, digest: str, grace: int) -> Iterator[Retention]:
    for image in references.images_with_digest(tx, digest):
        yield from _of_image(tx, image)
    for removed in references.deleted_images_with_digest(tx, digest):
        where = f"{removed.registry}/{removed.repository}"
        yield Retention(where, Reason.DELETED_IMAGE, removed.deleted_at + grace)


def _of_image(tx: Transaction, image: ImageReference, limit: int | None = None) -> Iterator[Retention]:
    where = f"{image.registry}/{image.repository}"
    yield Retention(where, Reason.IMAGE, tags=tuple(images.tags_of(tx, image.id)))
    for parent in images.parents_of(tx, image.id):
        yield Retention(where, Reason.INDEX, name=parent)
    for referrer in images.with_subject(tx, image.repository_id, image.digest, limit):
        yield Retention(where, Reason.REFERRER, name=referrer.digest)


def _blob_retentions(tx: Transaction, digest: str, grace: int) -> Iterator[Retention]:
    for view in references.repositories_with_blob(tx, digest):
        yield from _layer_retentions(tx, view, digest, grace)
    for removed in references.deleted_images_with_layer(tx, digest):
        where = f"{removed.registry}/{removed.repository}"
        yield Retention(where, Reason.DELETED_LAYER, removed.deleted_at + grace, removed.digest)
    blob = layers.find_blob(tx, digest)
    if blob is not None:
        yield Retention("store", Reason.STORED, name=blob.key)
    for key, at in references.damaged_blobs(tx, digest):
        yield Retention("store", Reason.DAMAGED, name=key, since=at)
    for key, due_at in references.pending_removals(tx, digest):
        yield Retention("store", Reason.REMOVED_ROW, due_at, key)


def _layer_retentions(
    tx: Transaction, view: BlobView, digest: str, grace: int, limit: int | None = None
) -> Iterator[Retention]:
    where = f"{view.registry}/{view.repository}"
    images_with_layer = references.images_with_layer(tx, view.repository_id, digest, limit)
    if not images_with_layer:
        yield Retention(where, Reason.UNREFERENCED_LAYER, grace_end(view.reported_at, grace))
    for image in images_with_layer:
        yield Retention(where, Reason.LAYER, name=image.digest, tags=tuple(images.tags_of(tx, image.id)))
