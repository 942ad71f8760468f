"""Deleted images come back: as if they were pushed again, with the images that they list and the tags that are free."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from moorage.core.limits import Limits
from moorage.core.registry.images import Images, Push
from moorage.domain.errors import ImageAlreadyExists
from moorage.domain.names import Digest, Tag
from moorage.domain.registry.manifests import parse_manifest
from moorage.metadata.database import Transaction
from moorage.metadata.garbage import deleted_images as trash
from moorage.metadata.garbage.deleted_images import DeletedImage
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


class Undeletion:
    """Brings deleted images back, under the limits that hold for a push and with its reactions."""

    def __init__(self, images: Images, limits: Limits) -> None:
        self._images = images
        self._limits = limits

    def undelete(self, tx: Transaction, repository: Repository, reference: str, now: int) -> list[Undeleted]:
        """Bring back an image by its digest or a former tag; the images that an index lists come before it.

        It counts as pushed now, so that no lifecycle policy removes it again at once.
        Raises NotInTrash, and what `Images.put` raises.
        """
        deleted = trash.find(tx, repository, reference)
        if deleted is None:
            raise NotInTrash(f"{repository.name} has no deleted image {reference} that could be brought back")
        return self._bring_back(tx, repository, deleted, now)

    def _bring_back(self, tx: Transaction, repository: Repository, deleted: DeletedImage, now: int) -> list[Undeleted]:
        body = trash.content(tx, deleted.id)
        manifest = parse_manifest(body, deleted.media_type)
        back: list[Undeleted] = []
        for child in manifest.children:
            listed = trash.find(tx, repository, child.digest)
            if listed is not None and rows.find(tx, repository.id, child.digest) is None:
                back += self._bring_back(tx, repository, listed, now)
        for blob_id in trash.layers_of(tx, deleted.id):
            layers.link_blob(tx, repository.id, blob_id, now)
        tags = trash.tags_of(tx, deleted.id)
        free = tuple(tag for tag in tags if rows.find_tagged(tx, repository.id, tag) is None)
        push = Push(
            body=body,
            manifest=manifest,
            tags=tuple(Tag(tag) for tag in free),
            digest=Digest(deleted.digest),
            sparse=self._limits.sparse_manifests,
        )
        with suppress(ImageAlreadyExists):  # It was pushed again meanwhile.
            self._images.put(tx, repository, push, now)
        trash.forget(tx, deleted.id)
        return [*back, Undeleted(deleted.digest, free, tuple(tag for tag in tags if tag not in free))]
