"""Why something is still there, or when it goes: what holds a blob or an image, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from moorage.core.garbage.grace import grace_end
from moorage.domain.units import iso_time
from moorage.metadata.database import Transaction
from moorage.metadata.garbage import references as holders
from moorage.metadata.garbage.references import BlobView, ImageReference
from moorage.metadata.registry import images, layers


@dataclass(frozen=True, slots=True)
class Retention:
    """One thing that holds what was asked for: where (a repository, or the store), what, and until when if it ends."""

    where: str
    what: str
    until: int | None = None


def why(tx: Transaction, digest: str, grace: int) -> list[Retention]:
    """All that holds the blob or the image of a digest; nothing when there is none."""
    return [*_of_images(tx, digest, grace), *_of_blob(tx, digest, grace)]


def _of_images(tx: Transaction, digest: str, grace: int) -> Iterator[Retention]:
    for image in holders.images_with_digest(tx, digest):
        where = f"{image.registry}/{image.repository}"
        yield Retention(where, f"an image, {_tagged(tx, image)}; images stay until they are deleted")
        for parent in images.parents_of(tx, image.id):
            yield Retention(where, f"index {parent} lists it: it cannot be deleted")
        for referrer in images.with_subject(tx, image.repository_id, digest):
            yield Retention(where, f"image {referrer.digest} refers to it as its subject")
    for removed in holders.deleted_images_with_digest(tx, digest):
        where = f"{removed.registry}/{removed.repository}"
        yield Retention(where, "a deleted image: `moorage undelete` brings it back", removed.deleted_at + grace)


def _of_blob(tx: Transaction, digest: str, grace: int) -> Iterator[Retention]:
    for one in holders.repositories_with_blob(tx, digest):
        yield from _of_layer(tx, one, digest, grace)
    for removed in holders.deleted_images_with_layer(tx, digest):
        where = f"{removed.registry}/{removed.repository}"
        yield Retention(where, f"deleted image {removed.digest} needs it", removed.deleted_at + grace)
    known = layers.find_blob(tx, digest)
    if known is not None:
        yield Retention("store", f"its bytes are {known.key}")
    for key, at in holders.damaged_blobs(tx, digest):
        yield Retention("store", f"{key} was found damaged or missing on {iso_time(at)}; pushing it again heals it")
    for key, due_at in holders.pending_removals(tx, digest):
        yield Retention("store", f"nothing needs {key}, whose row is gone", due_at)


def _of_layer(tx: Transaction, one: BlobView, digest: str, grace: int) -> Iterable[Retention]:
    where = f"{one.registry}/{one.repository}"
    images_with_layer = holders.images_with_layer(tx, one.repository_id, digest)
    if not images_with_layer:
        return [
            Retention(
                where, "no image needs it, and a client may have been told of it", grace_end(one.reported_at, grace)
            )
        ]
    return [Retention(where, f"image {image.digest} needs it, {_tagged(tx, image)}") for image in images_with_layer]


def _tagged(tx: Transaction, image: ImageReference) -> str:
    tags = images.tags_of(tx, image.id)
    return f"tagged {', '.join(tags)}" if tags else "without a tag"
