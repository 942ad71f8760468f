"""Compare blobs with their digests: several at a time, small ones in batches, with the results in the order of rows.

A window of batches is in progress. Its first batch is awaited, so the results have an order, and the position of the
verification is that of the last result. The window bounds memory: a chunk for each blob that is being read.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from moorage.core.pacing import RateLimit
from moorage.core.tasks import end_all
from moorage.domain.failures import is_damage
from moorage.domain.ports import BlobMissing, BlobStore, SmallBlob, SmallBlobs
from moorage.metadata.garbage.verification import BlobRow

_BATCHED_BYTES: Final = 256 << 10
"""Reading and hashing a larger blob takes longer than the switches to threads around it."""

_BATCH_BYTES: Final = 1 << 20
_BATCH_BLOBS: Final = 64
_FILES_AT_ONCE: Final = 4
"""Batches in threads: enough for a disk's queue and the processors of a small machine."""

_REQUESTS_AT_ONCE: Final = 16
"""Requests to an object store: each waits for the network most of its time."""

_INLINE_BYTES: Final = 32 << 10
"""Hashing so many bytes takes less time than a switch to a thread and back."""

Result = tuple[BlobRow, str | None]
"""A blob, and a description of the damage to its bytes; None if they are intact."""


@dataclass(frozen=True, slots=True)
class BlobChecks:
    """Checks of the blobs in a store. `small` reads small ones in batches, `read` counts the bytes that were read."""

    blobs: BlobStore
    small: SmallBlobs | None
    rate: RateLimit
    read: Callable[[int], None]

    async def results(self, rows: AsyncIterator[BlobRow]) -> AsyncGenerator[Result, None]:
        """The results for all rows, in their order. Raises OSError for failures that say nothing of the bytes."""
        window: deque[asyncio.Task[list[Result]]] = deque()
        size = _REQUESTS_AT_ONCE if self.small is None else _FILES_AT_ONCE
        try:
            async for batch in self._batches(rows):
                if len(window) == size:
                    for result in await window.popleft():
                        yield result
                window.append(asyncio.ensure_future(self._check(batch)))
            while window:
                for result in await window.popleft():
                    yield result
        finally:
            await end_all(window)

    async def _batches(self, rows: AsyncIterator[BlobRow]) -> AsyncIterator[list[BlobRow]]:
        """Consecutive small blobs together if the store reads them so, and each other blob by itself."""
        batch: list[BlobRow] = []
        size = 0
        async for row in rows:
            is_alone = self.small is None or row.size > _BATCHED_BYTES
            if batch and (is_alone or len(batch) == _BATCH_BLOBS or size + row.size > _BATCH_BYTES):
                yield batch
                batch, size = [], 0
            batch.append(row)
            size += row.size
            if is_alone:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    async def _check(self, batch: Sequence[BlobRow]) -> list[Result]:
        if self.small is None or batch[0].size > _BATCHED_BYTES:
            return [(row, await self._damage(row)) for row in batch]
        asked = [SmallBlob(row.key, row.size, row.digest.partition(":")[0]) for row in batch]
        found = await self.small.digests(asked)
        size = sum(row.size for row, digest in zip(batch, found, strict=True) if isinstance(digest, str))
        self.read(size)
        await self.rate.limit(size)
        return [(row, _difference(row, digest)) for row, digest in zip(batch, found, strict=True)]

    async def _damage(self, row: BlobRow) -> str | None:
        hasher = hashlib.new(row.digest.partition(":")[0])
        try:
            async for chunk in self.blobs.read(row.key, 0, row.size):
                await _hash(hasher, chunk)
                self.read(len(chunk))
                await self.rate.limit(len(chunk))
        except (BlobMissing, OSError) as error:
            return _difference(row, error)
        return _difference(row, f"{hasher.name}:{hasher.hexdigest()}")


async def _hash(hasher: hashlib._Hash, chunk: bytes) -> None:
    if len(chunk) <= _INLINE_BYTES:
        hasher.update(chunk)
    else:
        await asyncio.to_thread(hasher.update, chunk)


def _difference(row: BlobRow, found: str | BlobMissing | OSError) -> str | None:
    """Raises OSError if reading failed for another reason than damage."""
    if isinstance(found, BlobMissing):
        return "missing"
    if isinstance(found, OSError):
        if not is_damage(found):
            raise found
        return f"cannot be read: {found.strerror}"
    return None if found == row.digest else f"its bytes have the digest {found.partition(':')[2]}"
