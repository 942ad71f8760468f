"""Storage classes: archive images, which then cannot be pulled, and restore them.

ECR moves bytes between storage classes and needs up to 20 minutes to restore an image. Here the class is a column of
the image's row, so a change is complete when the client gets the response. The layers stay where they are.
"""

from __future__ import annotations

from typing import Final

from moorage.core.reactions import Reactions, StorageClass, StorageClassChanged, react
from moorage.domain.lifecycle.errors import ImageStorageClassUpdateNotSupported
from moorage.domain.names import Registry
from moorage.metadata.database import Transaction
from moorage.metadata.registry import images
from moorage.metadata.registry.images import ACTIVE, Image
from moorage.metadata.registry.repositories import Repository

_LISTED: Final = "it is referenced by manifest list: [{parents}]"


class StorageClasses:
    """Archives and restores images."""

    def __init__(self, reactions: Reactions, origin: Registry | None = None) -> None:
        self._reactions = reactions
        self._origin = origin

    def update(self, tx: Transaction, repository: Repository, image: Image, target: StorageClass, now: int) -> None:
        """Archive or restore an image.

        Raises ImageStorageClassUpdateNotSupported if the image already has that class, or if it would be archived
        although an active index lists it.
        """
        if (target == "ARCHIVE") == image.is_archived:
            raise _refusal(repository, image, f"it is already in the storage class {target}")
        if target == "STANDARD":
            self.restore(tx, repository, image, now)
            return
        parents = images.parents_of(tx, image.id, ACTIVE)
        if parents:
            raise _refusal(repository, image, _LISTED.format(parents=", ".join(parents)))
        self._archive(tx, repository, image, now)

    def restore(self, tx: Transaction, repository: Repository, image: Image, now: int) -> None:
        """Restore an archived image, its archived referrers, and the archived images that it lists.

        An index can be pulled only if its images can.
        """
        pending = [image]
        while pending:
            current = pending.pop()
            images.activate(tx, current.id, now)
            self._changed(tx, repository, current, "STANDARD", now)
            related = [*images.with_subject(tx, repository.id, current.digest), *images.children_of(tx, current.id)]
            pending += [other for other in related if other.is_archived]

    def _archive(self, tx: Transaction, repository: Repository, image: Image, now: int) -> None:
        """Archive an image with its referrers, except for referrers that an active index lists."""
        pending = [image]
        while pending:
            current = pending.pop()
            images.archive(tx, current.id, now)
            self._changed(tx, repository, current, "ARCHIVE", now)
            referrers = images.with_subject(tx, repository.id, current.digest)
            pending += [other for other in referrers if not other.is_archived and not _is_listed(tx, other)]

    def _changed(self, tx: Transaction, repository: Repository, image: Image, target: StorageClass, now: int) -> None:
        change = StorageClassChanged(repository, image.digest, image, target, now, self._origin)
        react(tx, self._reactions.storage_class_changed, change)


def _is_listed(tx: Transaction, image: Image) -> bool:
    return bool(images.parents_of(tx, image.id, ACTIVE, limit=1))


def _refusal(repository: Repository, image: Image, reason: str) -> ImageStorageClassUpdateNotSupported:
    return ImageStorageClassUpdateNotSupported(
        digest=image.digest, repository=repository.name, registry=repository.registry.account, reason=reason
    )
