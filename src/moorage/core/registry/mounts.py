"""Mount blobs of one repository in another, and unlink blobs from a repository."""

from __future__ import annotations

from typing import Final

from moorage.core.clock import Clock
from moorage.core.identity.authorization import AccessRequest, decide
from moorage.core.registry import repositories
from moorage.core.registry.encryption import is_same
from moorage.domain.errors import BlobNotFound, LayerInUse
from moorage.domain.identity.actions import EVERY_REPOSITORY
from moorage.domain.names import Registry
from moorage.metadata.database import Database, Transaction
from moorage.metadata.registry import layers, settings
from moorage.metadata.registry import repositories as rows
from moorage.metadata.registry.layers import Blob
from moorage.metadata.registry.repositories import Repository

_SOURCES: Final = 20
"""How many repositories are tried as the source, if the client does not name one."""


class Mounts:
    """Makes a layer of one repository visible in another, without copying its bytes."""

    def __init__(self, database: Database, now: Clock) -> None:
        self._database = database
        self._now = now

    async def mount(self, access_request: AccessRequest, target: str, digest: str, source: str | None) -> bool:
        """Mount a layer into the repository `target`; False if the caller may mount no such layer.

        `source` names the source repository, or is None to try several. The access request is decided for each source.
        Raises RepositoryNotFound.
        """

        def find(tx: Transaction) -> tuple[Repository, Blob | None]:
            repository = repositories.get(tx, access_request.registry, target)
            return repository, find_mountable(tx, access_request, repository, digest, source)

        def link(tx: Transaction) -> bool:
            repository, blob = find(tx)
            if blob is None or layers.lock_blob(tx, digest) is None:
                return False
            layers.link_blob(tx, repository.id, blob.id, self._now())
            return True

        _, blob = await self._database.read(find)
        return blob is not None and await self._database.write(link)


def find_mountable(
    tx: Transaction, access_request: AccessRequest, target: Repository, digest: str, source: str | None
) -> Blob | None:
    """A blob of a source repository that has the target's encryption and that the caller can access; or None.

    For any other blob the client has to upload the bytes. It does not learn why, so it cannot find out which blobs
    exist: knowing a digest does not give permission. For the same reason permission is decided before any lookup, and
    without a source as many times whether repositories have the blob or not.
    """
    registry = target.registry
    if not settings.allows_mounting(tx, registry):
        return None
    names = _sources(tx, registry, digest) if source is None else [source]
    for name in names:
        if not decide(tx, access_request.about(name)).allowed:
            continue
        found = rows.find(tx, registry, name)
        if found is None or not is_same(found.settings, target.settings):
            continue
        blob = layers.find_layer(tx, found.id, digest)
        if blob is not None:
            return blob
    return None


def _sources(tx: Transaction, registry: Registry, digest: str) -> list[str]:
    """Repositories that have a blob, filled up with names of none."""
    names = layers.repositories_with(tx, registry, digest, _SOURCES)
    return [*names, *[EVERY_REPOSITORY] * (_SOURCES - len(names))]


def unlink(tx: Transaction, repository: Repository, digest: str) -> None:
    """Remove a blob from a repository. Raises BlobNotFound, and LayerInUse if an image references it."""
    blob = layers.find_layer(tx, repository.id, digest)
    if blob is None:
        raise BlobNotFound(digest=digest, repository=repository.name)
    if not layers.unlink_blob(tx, repository.id, blob.id):
        raise LayerInUse(digest=digest, repository=repository.name)
