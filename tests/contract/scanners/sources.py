"""An image for scanners: its blobs in files, or where no file system has them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

from moorage.domain.names import Digest, Registry, RepositoryName
from moorage.domain.ports import BlobMissing
from moorage.domain.scanning.ports import RegistryAccess, SourceBlob
from tests.support.images import Blob, Image


class FileSource:
    """An `ImageSource`. Without `linked`, a scanner has to read the blobs."""

    def __init__(self, folder: Path, pushed: Image, *, linked: bool = True) -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._linked = linked
        self.registry = Registry("000000000000", "us-east-1")
        self.repository = RepositoryName.parse("team/app")
        self.digest = Digest.parse(pushed.manifest.digest)
        self.media_type = pushed.manifest.media_type
        self.manifest = pushed.manifest.content
        self.config, *self.layers = map(self._stored, pushed.blobs)

    def path_of(self, blob: SourceBlob) -> Path:
        return self._folder / blob.digest.replace(":", "-")

    def _stored(self, blob: Blob) -> SourceBlob:
        described = SourceBlob(blob.digest, blob.media_type, len(blob.content), None)
        path = self.path_of(described)
        path.write_bytes(blob.content)
        return SourceBlob(blob.digest, blob.media_type, len(blob.content), path if self._linked else None)

    async def read(self, blob: SourceBlob) -> AsyncIterator[bytes]:
        """See `ImageSource.read`."""
        path = self.path_of(blob)
        if not path.exists():
            raise BlobMissing(blob.digest)
        yield path.read_bytes()

    def registry_access(self) -> RegistryAccess:
        """See `ImageSource.registry_access`."""
        return RegistryAccess("http://localhost:5000", self.repository, "AWS", "password")
