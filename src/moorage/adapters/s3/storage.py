"""The storage of another registry in a bucket."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from typing import Final

from moorage.adapters.s3.objects import Objects
from moorage.domain.buckets import Bucket
from moorage.domain.image_sources import BucketObject, SourceBroken
from moorage.domain.ports import BlobMissing

_READS_AT_ONCE: Final = 16

_PATH: Final = re.compile(r"(?!.*(^|/)\.\.?(/|$))[A-Za-z0-9._/-]+")
"""What is the same in a key and in a URL, and all that Distribution writes. Anybody may have written other keys."""


class StorageBucket:
    """See `StorageFiles`. Its methods raise Unavailable, too."""

    def __init__(self, objects: Objects, bucket: Bucket) -> None:
        self._objects = objects
        self._bucket = bucket
        self._room = asyncio.Semaphore(_READS_AT_ONCE)

    @property
    def title(self) -> str:
        """See `StorageFiles.title`."""
        return f"s3://{self._bucket.name}/{self._bucket.prefix}"

    async def folders(self, path: str) -> list[str]:
        """See `StorageFiles.folders`."""
        pages = self._objects.list_folders(f"{path}/" if path else "")
        return sorted({name async for page in pages for name in page if name})

    async def below(self, path: str) -> list[str]:
        """See `StorageFiles.below`."""
        pages = self._objects.list_objects(f"{path}/")
        return sorted([key.removeprefix(f"{path}/") async for page in pages for key, _ in page])

    async def small(self, paths: Sequence[str], limit: int) -> list[bytes | SourceBroken]:
        """See `StorageFiles.small`."""
        return list(await asyncio.gather(*(self._content(path, limit) for path in paths)))

    async def chunks(self, path: str, size: int) -> AsyncIterator[bytes]:
        """See `StorageFiles.chunks`."""
        found = await self._objects.size(path)
        if found is None:
            raise SourceBroken("is missing")
        if found != size:
            raise SourceBroken(f"has {found} bytes instead of {size}")
        try:
            async for chunk in self._objects.read(path, 0, size):
                yield chunk
        except BlobMissing:
            raise SourceBroken("is missing") from None

    def place(self, path: str) -> BucketObject:
        """See `StorageFiles.place`."""
        return BucketObject(self._bucket.endpoint, self._bucket.name, f"{self._bucket.prefix}{path}")

    async def _content(self, path: str, limit: int) -> bytes | SourceBroken:
        if _PATH.fullmatch(path) is None:
            return SourceBroken(f"{path[:500]!r} cannot be read: a name has other characters than A-Z a-z 0-9 . _ -")
        try:
            async with self._room:
                content = await self._objects.start_of(path, limit + 1)
        except BlobMissing:
            return SourceBroken(f"{path.rpartition('/')[2]} is missing")
        return content if len(content) <= limit else SourceBroken(f"{path} has more than {limit} bytes")
