"""Storage classes: images that are kept without being pullable, and images that come back.

ECR moves bytes between classes of storage, and needs up to 20 minutes for a restoration. Here the class is a word in
the image's row, so both are done when they are answered; the layers stay where they are.
"""

from __future__ import annotations

from typing import Final, Literal

from moorage.core.events import record as events
from moorage.domain.lifecycle.errors import ImageStorageClassUpdateNotSupported
from moorage.metadata.database import Transaction
from moorage.metadata.registry import images
from moorage.metadata.registry.images import ACTIVE, Image
from moorage.metadata.registry.repositories import Repository

StorageClass = Literal["STANDARD", "ARCHIVE"]

_LISTED: Final = "it is referenced by manifest list: [{parents}]"


def update(tx: Transaction, repository: Repository, image: Image, target: StorageClass, now: int) -> None:
    """Move an image to another class. Raises ImageStorageClassUpdateNotSupported.

    That is when it is there already, and when an index that can be pulled lists it.
    """
    if (target == "ARCHIVE") == image.is_archived:
        raise _refusal(repository, image, f"it is in the storage class {target} already")
    if target == "STANDARD":
        restore(tx, repository, image, now)
        return
    parents = images.parents_of(tx, image.id, ACTIVE)
    if parents:
        raise _refusal(repository, image, _LISTED.format(parents=", ".join(parents)))
    _archive(tx, repository, image, now)


def _archive(tx: Transaction, repository: Repository, image: Image, now: int) -> None:
    """Archive an image, and with it whatever refers to it, unless an index that can be pulled lists that."""
    waiting = [image]
    while waiting:
        one = waiting.pop()
        images.archive(tx, one.id, now)
        events.record(tx, events.storage_class_event(repository, one, "ARCHIVE", now))
        referrers = images.with_subject(tx, repository.id, one.digest)
        waiting += [other for other in referrers if not other.is_archived and not _is_listed(tx, other)]


def _is_listed(tx: Transaction, image: Image) -> bool:
    return bool(images.parents_of(tx, image.id, ACTIVE))


def restore(tx: Transaction, repository: Repository, image: Image, now: int) -> None:
    """Bring an archived image back, and with it what refers to it and what it lists: an index needs its images."""
    waiting = [image]
    while waiting:
        one = waiting.pop()
        images.activate(tx, one.id, now)
        events.record(tx, events.storage_class_event(repository, one, "STANDARD", now))
        together = [*images.with_subject(tx, repository.id, one.digest), *images.children_of(tx, one.id)]
        waiting += [other for other in together if other.is_archived]


def _refusal(repository: Repository, image: Image, reason: str) -> ImageStorageClassUpdateNotSupported:
    return ImageStorageClassUpdateNotSupported(
        digest=image.digest, repository=repository.name, registry=repository.registry.account, reason=reason
    )
