"""Images that another server replicates to this one: they are stored as replicas, so they go no further.

The caller needs the permission `ecr:ReplicateImage` for that, in addition to those for a push or a deletion. What such
a caller deletes are replicas from the same registry only, never what other clients pushed.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Final

from moorage.core.registry.images import Images, Push
from moorage.core.replication import outbox
from moorage.domain.errors import ManifestNotFound
from moorage.domain.names import Registry
from moorage.domain.registry.errors import ImageAlreadyExists, ImageReferencedByIndex
from moorage.metadata.database import Transaction
from moorage.metadata.registry import images as image_rows
from moorage.metadata.registry.repositories import Repository
from moorage.metadata.replication import copies

_ORIGIN: Final = re.compile(r"(\d{12})/([a-z0-9-]{2,25})", re.ASCII)


def origin_of(text: str) -> Registry | None:
    """The registry that `ACCOUNT/REGION` names; None for any other text."""
    found = _ORIGIN.fullmatch(text)
    return Registry(found[1], found[2]) if found else None


def put(tx: Transaction, images: Images, repository: Repository, push: Push, origin: Registry | None, now: int) -> str:
    """Put an image that a client pushes, or that comes from another registry. What is there already is no error.

    Raises what `Images.put` raises otherwise.
    """
    digest = push.computed_digest()
    is_new = image_rows.find(tx, repository.id, digest) is None
    here = images if origin is None else images.replicated_from(origin)
    try:
        here.put(tx, repository, push, now)
    except ImageAlreadyExists:
        if origin is None:
            outbox.image_pushed_again(tx, repository, digest, now)
        return digest
    if is_new and origin is not None:
        copies.mark(tx, repository.id, digest, origin, now)
    return digest


def remove(tx: Transaction, images: Images, repository: Repository, reference: str, origin: Registry, now: int) -> None:
    """Delete an image or a tag because another registry does, if the image is a replica from there.

    Raises what `Images` raises for images that do not exist.
    """
    find = image_rows.find if ":" in reference else image_rows.find_tagged
    image = find(tx, repository.id, reference)
    if image is None:
        raise ManifestNotFound
    if copies.source_of(tx, repository.id, image.digest) != origin:
        return
    here = images.replicated_from(origin)
    if ":" not in reference:
        here.untag(tx, repository, reference, now)
        return
    with suppress(ImageReferencedByIndex):  # An index that stays here lists it.
        here.delete(tx, repository, image.digest, now)
