"""Take objects of other programs over as blobs: the object store copies them, so nothing is received or sent."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Final

from moorage.adapters.s3.objects import Objects
from moorage.adapters.s3.upload_state import new_key
from moorage.domain.image_sources import BlobToLink, BucketObject, LinkResult

_COPIES_AT_ONCE: Final = 8

_COPY_LIMIT: Final = 5 << 30
"""The most that one request copies ("CopyObject", Amazon S3 API Reference)."""


class BucketLinks:
    """The bucket of an `S3BlobStore`: see `BlobLinks`. `endpoint` is the URL of its object store."""

    done = "copied by the object store"

    def __init__(self, objects: Objects, endpoint: str) -> None:
        self._objects = objects
        self._endpoint = endpoint
        self._room = asyncio.Semaphore(_COPIES_AT_ONCE)

    async def link_all(self, blobs: Sequence[BlobToLink], *, verify: bool) -> list[LinkResult]:
        """See `BlobLinks.link_all`. Copies that a failure leaves behind are swept."""
        return list(await asyncio.gather(*(self._link(blob, verify=verify) for blob in blobs)))

    async def _link(self, blob: BlobToLink, *, verify: bool) -> LinkResult:
        place = blob.place
        if not isinstance(place, BucketObject) or place.endpoint != self._endpoint or blob.size > _COPY_LIMIT:
            return LinkResult()
        key = new_key(blob.upload)
        async with self._room:
            if not await self._objects.copy(place.bucket, place.key, key, blob.size):
                return LinkResult()
            # Some stores ignore the header that makes a copy of an upload: then the object is empty.
            if await self._objects.size(key) != blob.size:
                await self._objects.delete([key])
                return LinkResult()
            if verify and (found := await self._digest(key, blob)) != blob.digest:
                await self._objects.delete([key])
                return LinkResult(reason=f"has the digest {found}")
        return LinkResult(key)

    async def _digest(self, key: str, blob: BlobToLink) -> str:
        """The digest of a copy. Raises BlobMissing, Unavailable, OSError."""
        algorithm = blob.digest.partition(":")[0]
        hasher = hashlib.new(algorithm)
        async for chunk in self._objects.read(key, 0, blob.size):
            await asyncio.to_thread(hasher.update, chunk)
        return f"{algorithm}:{hasher.hexdigest()}"
