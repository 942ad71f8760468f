"""Storage classes: images that are kept without being pullable, and images that come back.

ECR moves bytes between classes of storage, and needs up to 20 minutes for a restoration. Here the class is a word in
the image's row, so both are done when they are answered; the layers stay where they are.
"""

from __future__ import annotations

from typing import Final, Literal

from moorage.core import events
from moorage.domain.errors import ImageStorageClassUpdateNotSupported
from moorage.metadata import images
from moorage.metadata.database import Transaction
from moorage.metadata.images import ACTIVE, Image
from moorage.metadata.repositories import Repository

StorageClass = Literal["STANDARD", "ARCHIVE"]

_LISTED: Final = "it is referenced by manifest list: [{parents}]"


def update(tx: Transaction, repository: Repository, image: Image, target: StorageClass, now: int) -> None:
    """Move an image to another class. Raises ImageStorageClassUpdateNotSupported.

    That is when it is there already, and when an index that can be pulled lists it.
    """
    if (target == "ARCHIVE") == image.is_archived:
        raise _refusal(repository, image, f"it is in the storage class {target} already")
    if target == "STANDARD":
        restore(tx, image, now)
    else:
        parents = images.parents_of(tx, image.id, ACTIVE)
        if parents:
            raise _refusal(repository, image, _LISTED.format(parents=", ".join(parents)))
        archive(tx, image, now)
    events.record(tx, events.storage_class_event(repository, image, target, now))


def archive(tx: Transaction, image: Image, now: int) -> None:
    """Archive an image, and with it whatever refers to it, unless an index that can be pulled lists that."""
    images.archive(tx, image.id, now)
    waiting = [image.digest]
    while waiting:
        for referrer in images.with_subject(tx, image.repository_id, waiting.pop()):
            if not referrer.is_archived and not images.parents_of(tx, referrer.id, ACTIVE):
                images.archive(tx, referrer.id, now)
                waiting.append(referrer.digest)


def restore(tx: Transaction, image: Image, now: int) -> None:
    """Bring an archived image back, and with it what refers to it and what it lists: an index needs its images."""
    images.activate(tx, image.id, now)
    waiting = [image]
    while waiting:
        one = waiting.pop()
        together = [*images.with_subject(tx, one.repository_id, one.digest), *images.children_of(tx, one.id)]
        for other in together:
            if other.is_archived:
                images.activate(tx, other.id, now)
                waiting.append(other)


def _refusal(repository: Repository, image: Image, reason: str) -> ImageStorageClassUpdateNotSupported:
    return ImageStorageClassUpdateNotSupported(
        digest=image.digest, repository=repository.name, registry=repository.registry.account, reason=reason
    )
