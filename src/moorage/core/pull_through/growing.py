"""A blob that grows while it is fetched: any number of readers follow it, each at its own pace.

Its end is held back until the whole is stored, and so has the right digest: a client never has a whole wrong blob.

The newest bytes are in memory, and readers get them from there. A reader that is slower than the fetch, or came later,
reads the file that grows in the blob store. A store that has only complete blobs lets it wait until the blob is
complete. No reader slows the fetch down, and none can end it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Final

from moorage.core.pull_through.failures import NotUpstream
from moorage.domain.errors import Unavailable
from moorage.domain.ports import CHUNK_BYTES, BlobStore
from moorage.domain.pull_through.upstream_errors import UpstreamRefusal
from moorage.metadata.registry.layers import Blob

_WINDOW_BYTES: Final = 4 << 20
"""Bytes in memory: more than those between the fetch and the file, which is written in batches of a MiB."""

_HELD_BYTES: Final = 64 << 10
"""The end that readers get only when the blob is stored. A blob of at most this size fails before a response begins."""

_FILE_SECONDS: Final = 0.02
"""How long to wait for bytes that have left the memory and are not yet in the file."""


class GrowingBlob:
    """The bytes of one blob, as far as they have arrived. `size` is None until it is known."""

    def __init__(self, blobs: BlobStore, size: int | None) -> None:
        self.size = size
        self.received = 0
        self.upload: str | None = None
        self.blob: Blob | None = None
        self._failure: Exception | None = None
        self._blobs = blobs
        self._chunks: deque[tuple[int, bytes]] = deque()
        self._window_start = 0
        self._changed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    # --- The fetch ------------------------------------------------------------------------------------------------

    def begin(self, size: int | None) -> None:
        """The upstream registry has answered: the blob is there, with this size, if it is known."""
        self.size = size
        self._notify()

    def add(self, chunk: bytes) -> None:
        """The next bytes, which nobody has verified yet."""
        self._chunks.append((self.received, chunk))
        self.received += len(chunk)
        while self._chunks and self.received - self._chunks[0][0] - len(self._chunks[0][1]) >= _WINDOW_BYTES:
            self._chunks.popleft()
        self._window_start = self._chunks[0][0] if self._chunks else self.received
        self._notify()

    def complete(self, blob: Blob) -> None:
        """The blob is stored: readers get the rest from the store."""
        self.blob = blob
        self.size = blob.size
        self._notify()

    def fail(self, failure: Exception) -> None:
        """The fetch has failed; readers get this exception."""
        self._failure = failure
        self._chunks.clear()
        self._notify()

    def _notify(self) -> None:
        changed, self._changed = self._changed, asyncio.get_running_loop().create_future()
        changed.set_result(None)

    # --- Readers --------------------------------------------------------------------------------------------------

    async def started(self) -> None:
        """Wait until the first bytes or the whole blob can be read. Raises the failure of the fetch."""
        while self.blob is None and not self._available:
            await self._wait()

    @property
    def _available(self) -> int:
        """The bytes that readers may have."""
        return max(0, min(self.received, (self.size or 0) - _HELD_BYTES)) if self.blob is None else self.received

    async def finished(self) -> Blob:
        """Wait until the blob is stored. Raises the failure of the fetch."""
        while self.blob is None:
            await self._wait()
        return self.blob

    async def read(self, start: int, stop: int) -> AsyncIterator[bytes]:
        """Bytes `start` to `stop` (exclusive), as they arrive.

        Raises Unavailable if the fetch fails: the response has begun already. Raises the errors of the store.
        """
        try:
            async for chunk in self._read(start, stop):
                yield chunk
        except (UpstreamRefusal, NotUpstream) as failure:
            raise Unavailable(reason=f"The fetch of a layer has failed. {failure}") from None

    async def _read(self, start: int, stop: int) -> AsyncIterator[bytes]:
        position = start
        while position < stop:
            chunk = self._in_window(position)
            if chunk is None and self.blob is not None:
                async for stored in self._blobs.read(self.blob.key, position, stop):
                    yield stored
                return
            if chunk is None:
                chunk = await self._older(position, stop)
            if chunk:
                yield chunk if len(chunk) <= stop - position else chunk[: stop - position]
                position += len(chunk)

    def _in_window(self, position: int) -> bytes | None:
        """Bytes in memory that start at a position; None if it is not in memory."""
        available = self._available
        if not self._window_start <= position < available:
            return None
        for start, chunk in self._chunks:
            if position < start + len(chunk):
                is_whole = position == start and start + len(chunk) <= available
                return chunk if is_whole else chunk[position - start : available - start]
        return None

    async def _older(self, position: int, stop: int) -> bytes:
        """Bytes that have left the memory, from the growing file; empty after a wait for what comes next."""
        in_file = min(self._window_start, self._available, stop) - position
        if in_file > 0 and self.upload is not None:
            limit = min(CHUNK_BYTES, in_file)
            found = await self._blobs.received(self.upload, position, limit)
            if found:
                return found
            if found is not None and self.blob is None and self._failure is None:
                await asyncio.sleep(_FILE_SECONDS)
                return b""
        await self._wait()
        return b""

    async def _wait(self) -> None:
        """Wait for a change. Raises the failure of the fetch."""
        if self._failure is not None:
            raise self._failure
        if self.blob is None:
            await asyncio.shield(self._changed)
