"""Which repositories see a blob without having received it, or see it no more."""

from __future__ import annotations

from typing import Final

from moorage.core.clock import Clock
from moorage.core.identity.authorization import AccessRequest, decide
from moorage.core.registry import repositories
from moorage.core.registry.encryption import is_same
from moorage.domain.errors import BlobNotFound, LayerInUse
from moorage.metadata.database import Database, Transaction
from moorage.metadata.registry import layers, settings
from moorage.metadata.registry import repositories as rows
from moorage.metadata.registry.layers import Blob
from moorage.metadata.registry.repositories import Repository

_SOURCES: Final = 20
"""Repositories that are tried as the source of a mount that names none."""


class Mounts:
    """Makes a layer of one repository visible in another, without sending its bytes."""

    def __init__(self, database: Database, now: Clock) -> None:
        self._database = database
        self._now = now

    async def mount(self, access_request: AccessRequest, target: str, digest: str, source: str | None) -> bool:
        """Mount a layer into the repository `target`; False when there is none that the caller may mount.

        `access_request` is answered for each source repository; `source` names one. Raises RepositoryNotFound.
        """

        def find(tx: Transaction) -> tuple[Repository, Blob | None]:
            repository = repositories.get(tx, access_request.registry, target)
            return repository, mountable(tx, access_request, repository, digest, source)

        def link(tx: Transaction) -> bool:
            repository, blob = find(tx)
            if blob is None or layers.lock_blob(tx, digest) is None:
                return False
            layers.link_blob(tx, repository.id, blob.id, self._now())
            return True

        _, blob = await self._database.read(find)
        return blob is not None and await self._database.write(link)


def mountable(
    tx: Transaction, access_request: AccessRequest, target: Repository, digest: str, source: str | None
) -> Blob | None:
    """A blob that another repository sees, encrypted as the target's, and of which the answer to the question is yes.

    `source` names that repository; None leaves it to us. None when there is no such blob, for whatever reason: the
    client then sends the bytes, and learns nothing of what exists (knowing a digest is no permission).
    """
    registry = target.registry
    if not settings.allows_mounting(tx, registry):
        return None
    names = layers.repositories_with(tx, registry, digest, _SOURCES) if source is None else [source]
    for name in names:
        found = rows.find(tx, registry, name)
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
