"""Explain what keeps a blob or an image, and when it will be removed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from moorage.core.garbage.grace import grace_end
from moorage.domain.units import iso_time
from moorage.metadata.database import Transaction
from moorage.metadata.garbage import references
from moorage.metadata.garbage.references import BlobView, ImageReference
from moorage.metadata.registry import images, layers


@dataclass(frozen=True, slots=True)
class Retention:
    """One reason to keep a blob or image: where (a repository, or the store), why, and until when if it ends."""

    where: str
    reason: str
    until: int | None = None


def why(tx: Transaction, digest: str, grace: int) -> list[Retention]:
    """Everything that keeps the blob or image with a digest; empty if there is none."""
    return [*_image_retentions(tx, digest, grace), *_blob_retentions(tx, digest, grace)]


def _image_retentions(tx: Transaction, digest: str, grace: int) -> Iterator[Retention]:
    for image in references.images_with_digest(tx, digest):
        where = f"{image.registry}/{image.repository}"
        yield Retention(where, f"an image, {_tagged(tx, image)}; images stay until they are deleted")
        for parent in images.parents_of(tx, image.id):
            yield Retention(where, f"index {parent} lists it, so it cannot be deleted")
        for referrer in images.with_subject(tx, image.repository_id, digest):
            yield Retention(where, f"image {referrer.digest} refers to it as its subject")
    for removed in references.deleted_images_with_digest(tx, digest):
        where = f"{removed.registry}/{removed.repository}"
        yield Retention(where, "a deleted image: `moorage undelete` brings it back", removed.deleted_at + grace)


def _blob_retentions(tx: Transaction, digest: str, grace: int) -> Iterator[Retention]:
    for view in references.repositories_with_blob(tx, digest):
        yield from _layer_retentions(tx, view, digest, grace)
    for removed in references.deleted_images_with_layer(tx, digest):
        where = f"{removed.registry}/{removed.repository}"
        yield Retention(where, f"deleted image {removed.digest} references it", removed.deleted_at + grace)
    blob = layers.find_blob(tx, digest)
    if blob is not None:
        yield Retention("store", f"stored as {blob.key}")
    for key, at in references.damaged_blobs(tx, digest):
        yield Retention("store", f"{key} was found damaged or missing on {iso_time(at)}: push the layer again")
    for key, due_at in references.pending_removals(tx, digest):
        yield Retention("store", f"the row of {key} was removed, and its bytes stay", due_at)


def _layer_retentions(tx: Transaction, view: BlobView, digest: str, grace: int) -> Iterable[Retention]:
    where = f"{view.registry}/{view.repository}"
    images_with_layer = references.images_with_layer(tx, view.repository_id, digest)
    if not images_with_layer:
        reason = "no image references it, but its grace period is not over"
        return [Retention(where, reason, grace_end(view.reported_at, grace))]
    return [
        Retention(where, f"image {image.digest} references it, {_tagged(tx, image)}") for image in images_with_layer
    ]


def _tagged(tx: Transaction, image: ImageReference) -> str:
    tags = images.tags_of(tx, image.id)
    return f"tagged {', '.join(tags)}" if tags else "without a tag"
