"""Contents of small blobs that were sent lately: image configurations, which every pull needs.

To open and read a file is a fifth of such a request, and a request to an object store takes milliseconds. The bytes
under a key never change, and no key is used again (decision 0004). So nothing here becomes wrong: a request has its key
from the database, which has just named it for a caller who may read the blob.
"""

from __future__ import annotations

from typing import Final, Protocol

from moorage.domain.ports import BlobMissing, BlobStore

SMALL_BYTES: Final = 16 << 10
"""The largest blob that is read into memory and sent from there: that is faster than sending its file."""

_CACHED_BYTES: Final = 4 << 20
_ENTRY_BYTES: Final = 512
"""About how much memory the key and the entry of a blob take beside its content."""


class ServedBlob(Protocol):
    """What a response needs to know of a blob: `size` in bytes, `key` in the store."""

    @property
    def digest(self) -> str: ...

    @property
    def size(self) -> int: ...

    @property
    def key(self) -> str: ...


class SmallBlobs:
    """Reads small blobs, and keeps up to 4 MiB of them. A full cache is cleared."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._contents: dict[str, bytes] = {}
        self._size = 0

    async def content(self, blob: ServedBlob) -> bytes:
        """The content of a small blob. Raises BlobMissing also for one with a different size, OSError, Unavailable."""
        known = self._contents.get(blob.key)
        if known is not None:
            return known
        content = await self._blobs.content(blob.key)
        if len(content) != blob.size:
            raise BlobMissing(f"{blob.key} has {len(content)} bytes, not {blob.size}")
        self._keep(blob.key, content)
        return content

    def _keep(self, key: str, content: bytes) -> None:
        size = len(content) + _ENTRY_BYTES
        if self._size + size > _CACHED_BYTES:
            self._contents.clear()
            self._size = 0
        if key not in self._contents:
            self._contents[key] = content
            self._size += size
