"""Storage classes: archive images, which then cannot be pulled, and restore them.

ECR moves bytes between classes of storage and needs up to 20 minutes for a restoration. Here the class is a column of
the image's row, so either change is complete when it is answered; the layers stay where they are.
"""

from __future__ import annotations

from typing import Final

from moorage.core.reactions import Reactions, StorageClass, StorageClassChanged, react
from moorage.domain.lifecycle.errors import ImageStorageClassUpdateNotSupported
from moorage.metadata.database import Transaction
from moorage.metadata.registry import images
from moorage.metadata.registry.images import ACTIVE, Image
from moorage.metadata.registry.repositories import Repository

_LISTED: Final = "it is referenced by manifest list: [{parents}]"


class StorageClasses:
    """Moves images between storage classes."""

    def __init__(self, reactions: Reactions) -> None:
        self._reactions = reactions

    def update(self, tx: Transaction, repository: Repository, image: Image, target: StorageClass, now: int) -> None:
        """Move an image to another class. Raises ImageStorageClassUpdateNotSupported.

        It is refused for an image that has that class, and for archiving one that an active index lists.
        """
        if (target == "ARCHIVE") == image.is_archived:
            raise _refusal(repository, image, f"it is in the storage class {target} already")
        if target == "STANDARD":
            self.restore(tx, repository, image, now)
            return
        parents = images.parents_of(tx, image.id, ACTIVE)
        if parents:
            raise _refusal(repository, image, _LISTED.format(parents=", ".join(parents)))
        self._archive(tx, repository, image, now)

    def restore(self, tx: Transaction, repository: Repository, image: Image, now: int) -> None:
        """Restore an archived image, its archived referrers, and the archived images that it lists.

        An index needs its images to be pulled.
        """
        waiting = [image]
        while waiting:
            current = waiting.pop()
            images.activate(tx, current.id, now)
            self._changed(tx, repository, current, "STANDARD", now)
            together = [*images.with_subject(tx, repository.id, current.digest), *images.children_of(tx, current.id)]
            waiting += [other for other in together if other.is_archived]

    def _archive(self, tx: Transaction, repository: Repository, image: Image, now: int) -> None:
        """Archive an image with its referrers, except for referrers that an active index lists."""
        waiting = [image]
        while waiting:
            current = waiting.pop()
            images.archive(tx, current.id, now)
            self._changed(tx, repository, current, "ARCHIVE", now)
            referrers = images.with_subject(tx, repository.id, current.digest)
            waiting += [other for other in referrers if not other.is_archived and not _is_listed(tx, other)]

    def _changed(self, tx: Transaction, repository: Repository, image: Image, target: StorageClass, now: int) -> None:
        change = StorageClassChanged(repository, image.digest, image, target, now)
        react(tx, self._reactions.storage_class_changed, change)


def _is_listed(tx: Transaction, image: Image) -> bool:
    return bool(images.parents_of(tx, image.id, ACTIVE))


def _refusal(repository: Repository, image: Image, reason: str) -> ImageStorageClassUpdateNotSupported:
    return ImageStorageClassUpdateNotSupported(
        digest=image.digest, repository=repository.name, registry=repository.registry.account, reason=reason
    )
