"""Which repositories see a blob without having received it, or see it no more."""

from __future__ import annotations

from typing import Final

from moorage.core.identity.authorization import AccessRequest, decide
from moorage.core.registry.encryption import is_same
from moorage.domain.errors import BlobNotFound, LayerInUse
from moorage.metadata.database import Transaction
from moorage.metadata.registry import layers, repositories, settings
from moorage.metadata.registry.layers import Blob
from moorage.metadata.registry.repositories import Repository

_SOURCES: Final = 20
"""Repositories that are tried as the source of a mount that names none."""


def mountable(
    tx: Transaction, access_request: AccessRequest, target: Repository, digest: str, source: str | None
) -> Blob | None:
    """A blob that another repository sees, encrypted as the target's, and of which the answer to the question is yes.

    `source` names that repository; None leaves it to us. None when there is no such blob, for whatever reason: the
    client then sends the bytes, and learns nothing of what exists (knowing a digest is no permission).
    """
    registry = target.registry
    if not settings.mounts_blobs(tx, registry):
        return None
    names = layers.repositories_with(tx, registry, digest, _SOURCES) if source is None else [source]
    for name in names:
        found = repositories.find(tx, registry, name)
        if found is None or not is_same(found.settings, target.settings):
            continue
        blob = layers.find_layer(tx, found.id, digest)
        if blob is not None and decide(tx, access_request.about(name)).allowed:
            return blob
    return None


def unlink(tx: Transaction, repository: Repository, digest: str) -> None:
    """Let a repository see a blob no more. Raises BlobNotFound, and LayerInUse while an image needs it."""
    blob = layers.find_layer(tx, repository.id, digest)
    if blob is None:
        raise BlobNotFound(digest=digest, repository=repository.name)
    if not layers.unlink_blob(tx, repository.id, blob.id):
        raise LayerInUse(digest=digest, repository=repository.name)
