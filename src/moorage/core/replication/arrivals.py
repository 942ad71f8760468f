"""Images that another server replicates to this one: they are stored as replicas, so they go no further.

The caller needs the permission `ecr:ReplicateImage` for that, in addition to those for a push, a deletion or an
archival. What such a caller deletes or archives are replicas from the same registry only, never what other clients
pushed.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Final

from moorage.core.identity.authorization import AccessRequest, Authorizer
from moorage.core.registry.images import Images, Push
from moorage.core.replication import outbox
from moorage.domain.errors import AccessDenied, ManifestNotFound
from moorage.domain.names import Registry
from moorage.domain.registry.errors import ImageAlreadyExists, ImageReferencedByIndex
from moorage.domain.remote_registries import REPLICATED_FROM
from moorage.metadata.database import Transaction
from moorage.metadata.registry import images as image_rows
from moorage.metadata.registry.images import Image
from moorage.metadata.registry.repositories import Repository
from moorage.metadata.replication import copies

ORIGIN: Final = REPLICATED_FROM.lower().encode()
"""The header of requests that names the origin."""

_NAMED: Final = re.compile(r"(\d{12})/([a-z0-9-]{2,25})", re.ASCII)


async def origin_of(text: str | None, replicate: AccessRequest, authorizer: Authorizer) -> Registry | None:
    """The registry that a change is replicated from; None for other changes, and for callers who may not say so.

    `text` is the header of the request, and `replicate` the access request of the caller for `ecr:ReplicateImage`.
    """
    found = _NAMED.fullmatch(text or "")
    if found is None:
        return None
    try:
        await authorizer.check(replicate)
    except AccessDenied:
        return None
    return Registry(found[1], found[2])


def put(tx: Transaction, images: Images, repository: Repository, push: Push, origin: Registry | None, now: int) -> str:
    """Put an image that a client pushes, or that comes from another registry. What is there already is no error.

    Raises what `Images.put` raises otherwise.
    """
    digest = push.computed_digest()
    is_arrival = origin is not None and image_rows.find(tx, repository.id, digest) is None
    here = images if origin is None else images.replicated_from(origin)
    try:
        here.put(tx, repository, push, now)
    except ImageAlreadyExists:
        if origin is None:
            outbox.image_pushed_again(tx, repository, digest, now)
        return digest
    if is_arrival and origin is not None:
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
    here = images_for(tx, images, image, origin)
    if here is None:
        return
    if ":" not in reference:
        here.untag(tx, repository, reference, now)
        return
    with suppress(ImageReferencedByIndex):  # An index that stays here lists it.
        here.delete(tx, repository, image.digest, now)


def images_for(tx: Transaction, images: Images, image: Image, origin: Registry | None) -> Images | None:
    """The use cases for a change of an image; None if it is replicated and the image is not a replica from there."""
    if origin is None:
        return images
    is_from_there = copies.source_of(tx, image.repository_id, image.digest) == origin
    return images.replicated_from(origin) if is_from_there else None
