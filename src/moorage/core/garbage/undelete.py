"""Undelete images: push them again, with the images that an index lists and with the tags that are still free."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from moorage.core.limits import Limits
from moorage.core.registry.images import Images, Push
from moorage.domain.names import Digest, Tag
from moorage.domain.registry.errors import ImageAlreadyExists
from moorage.domain.registry.manifests import parse_manifest
from moorage.metadata.database import Transaction
from moorage.metadata.garbage import deleted_images, deleted_repositories
from moorage.metadata.garbage.deleted_images import DeletedImage
from moorage.metadata.registry import images as rows
from moorage.metadata.registry import layers
from moorage.metadata.registry.repositories import Repository


class NoDeletedImage(Exception):
    """The repository has no deleted image with that digest or tag."""


@dataclass(frozen=True, slots=True)
class Undeleted:
    """An undeleted image. Tags in `taken` now name another image and were not moved."""

    digest: str
    tags: tuple[str, ...]
    taken: tuple[str, ...]


class Undeletion:
    """Undeletes images, under the same limits and with the same reactions as a push."""

    def __init__(self, images: Images, limits: Limits) -> None:
        self._images = images
        self._limits = limits

    def undelete(self, tx: Transaction, repository: Repository, reference: str, now: int) -> list[Undeleted]:
        """Undelete an image by its digest or a former tag; the images that an index lists come first.

        The image gets a new push time, so that no lifecycle policy selects it again at once.
        Raises NoDeletedImage, and the errors of `Images.put`.
        """
        deleted = _find(tx, repository, reference)
        if deleted is None:
            raise NoDeletedImage(f"{repository.name} has no deleted image {reference} that can be undeleted")
        return self._undelete(tx, repository, deleted, now)

    def _undelete(self, tx: Transaction, repository: Repository, deleted: DeletedImage, now: int) -> list[Undeleted]:
        body = deleted_images.content(tx, deleted.id)
        manifest = parse_manifest(body, deleted.media_type)
        undeleted: list[Undeleted] = []
        for child in manifest.children:
            listed = _find(tx, repository, child.digest)
            if listed is not None and rows.find(tx, repository.id, child.digest) is None:
                undeleted += self._undelete(tx, repository, listed, now)
        for blob_id in deleted_images.layers_of(tx, deleted.id):
            layers.link_blob(tx, repository.id, blob_id, now)
        tags = deleted_images.tags_of(tx, deleted.id)
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
        deleted_images.forget(tx, deleted.id)
        return [*undeleted, Undeleted(deleted.digest, free, tuple(tag for tag in tags if tag not in free))]


def _find(tx: Transaction, repository: Repository, reference: str) -> DeletedImage | None:
    """The deleted image with that digest or tag, also if its repository was deleted and not yet removed."""
    deleted_repositories.remove_image(tx, repository.registry, repository.name, reference)
    return deleted_images.find(tx, repository, reference)
