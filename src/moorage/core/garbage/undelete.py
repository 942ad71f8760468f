"""Deleted images come back: as if they were pushed again, with the images that they list and the tags that are free."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from moorage.core.registry import images
from moorage.core.registry.images import Push
from moorage.domain.errors import ImageAlreadyExists
from moorage.domain.names import Digest, Tag
from moorage.domain.registry.manifests import parse_manifest
from moorage.metadata.database import Transaction
from moorage.metadata.garbage import deleted_images as trash
from moorage.metadata.garbage.deleted_images import RemovedImage
from moorage.metadata.registry import images as rows
from moorage.metadata.registry import layers
from moorage.metadata.registry.repositories import Repository


class NotInTrash(Exception):
    """No image of that name was deleted lately."""


@dataclass(frozen=True, slots=True)
class Undeleted:
    """An image that is back. Tags that name another image by now are `taken`, and were left to it."""

    digest: str
    tags: tuple[str, ...]
    taken: tuple[str, ...]


def undelete(tx: Transaction, repository: Repository, reference: str, now: int, *, sparse: bool) -> list[Undeleted]:
    """Bring an image back by its digest or a tag that it had; what an index lists comes before it.

    It counts as pushed now, so that no lifecycle policy takes it again at once.
    Raises NotInTrash, and what `images.put` raises.
    """
    removed = trash.find(tx, repository, reference)
    if removed is None:
        raise NotInTrash(f"{repository.name} has no deleted image {reference} that could be brought back")
    return _bring_back(tx, repository, removed, now, sparse=sparse)


def _bring_back(
    tx: Transaction, repository: Repository, removed: RemovedImage, now: int, *, sparse: bool
) -> list[Undeleted]:
    body = trash.content(tx, removed.id)
    manifest = parse_manifest(body, removed.media_type)
    back: list[Undeleted] = []
    for child in manifest.children:
        listed = trash.find(tx, repository, child.digest)
        if listed is not None and rows.find(tx, repository.id, child.digest) is None:
            back += _bring_back(tx, repository, listed, now, sparse=sparse)
    for blob_id in trash.layers_of(tx, removed.id):
        layers.link_blob(tx, repository.id, blob_id, now)
    tags = trash.tags_of(tx, removed.id)
    free = tuple(tag for tag in tags if rows.find_tagged(tx, repository.id, tag) is None)
    push = Push(body, manifest, tuple(Tag(tag) for tag in free), Digest(removed.digest), sparse=sparse)
    with suppress(ImageAlreadyExists):  # It was pushed again meanwhile.
        images.put(tx, repository, push, now)
    trash.forget(tx, removed.id)
    return [*back, Undeleted(removed.digest, free, tuple(tag for tag in tags if tag not in free))]
