"""The image that a scanner reads: its manifest, and its blobs as files or in chunks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from moorage.core.scanning.targets import Target
from moorage.domain.names import Registry
from moorage.domain.ports import BlobMissing, BlobStore, FileLink
from moorage.domain.registry.manifests import Descriptor, parse_manifest
from moorage.domain.scanning.ports import RegistryAccess, SourceBlob
from moorage.metadata.database import Database, Transaction
from moorage.metadata.registry import images, layers
from moorage.metadata.registry.layers import Blob

Access = Callable[[Registry, str], RegistryAccess]
"""Issues a login that can read the repository with this name."""


@dataclass(frozen=True, slots=True)
class StoredSource:
    """An image of a repository, as `ImageSource` describes it. `keys` are the storage keys of the blobs, by digest."""

    blobs: BlobStore
    target: Target
    manifest: bytes
    config: SourceBlob
    layers: Sequence[SourceBlob]
    keys: dict[str, str]
    access: Access

    @property
    def registry(self) -> Registry:
        return self.target.repository.registry

    @property
    def repository(self) -> str:
        return str(self.target.repository.name)

    @property
    def digest(self) -> str:
        return self.target.image.digest

    @property
    def media_type(self) -> str:
        return self.target.image.media_type

    def read(self, blob: SourceBlob) -> AsyncIterator[bytes]:
        """The bytes of a blob in chunks. Raises BlobMissing, Unavailable, OSError."""
        return self.blobs.read(self.keys[blob.digest], 0, blob.size)

    def registry_access(self) -> RegistryAccess:
        """A new login for 15 minutes that can read the repository."""
        return self.access(self.registry, self.repository)


class ImageSources:
    """Prepares images for scanners. `access` issues a login that can read one repository."""

    def __init__(self, database: Database, blobs: BlobStore, access: Access) -> None:
        self._database = database
        self._blobs = blobs
        self._access = access

    async def of(self, target: Target) -> StoredSource:
        """The image of a job. Raises BlobMissing if it was deleted, or if it lacks a layer."""
        return await self._database.read(partial(self._read, target))

    def _read(self, target: Target, tx: Transaction) -> StoredSource:
        body = images.manifest_body(tx, target.image.id)
        if not body:
            raise BlobMissing
        described = parse_manifest(body, target.image.media_type).layers
        found = layers.find_layers(tx, target.repository.id, [layer.digest for layer in described])
        if any(layer.digest not in found for layer in described):
            raise BlobMissing
        keys = {digest: blob.key for digest, blob in found.items()}
        config, *rest = (self._blob(layer, found[layer.digest]) for layer in described)
        return StoredSource(self._blobs, target, body, config, rest, keys, self._access)

    def _blob(self, described: Descriptor, stored: Blob) -> SourceBlob:
        link = self._blobs.link(stored.key)
        file = link.path if isinstance(link, FileLink) else None
        return SourceBlob(described.digest, described.media_type, stored.size, file)
