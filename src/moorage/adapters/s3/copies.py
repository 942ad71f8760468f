"""A copy of our blobs in a bucket, each under its own key, as bucket replication or `aws s3 sync` creates it."""

from __future__ import annotations

from collections.abc import AsyncIterator

from moorage.adapters.s3.objects import Objects


class BucketCopies:
    """A `CopySource` in a bucket."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    async def close(self) -> None:
        """Close the connections."""
        await self._objects.close()

    async def copies_of(self, digest: str, key: str) -> list[str]:  # noqa: ARG002 - keys of objects have no digest
        """See `CopySource.copies_of`. Raises Unavailable."""
        return [] if await self._objects.size(key) is None else [key]

    def read(self, key: str, start: int, stop: int) -> AsyncIterator[bytes]:
        """See `BlobStore.read`."""
        return self._objects.read(key, start, stop)
