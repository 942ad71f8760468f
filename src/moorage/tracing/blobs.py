"""A span for each use of the blob store by a traced request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager

from opentelemetry.trace import SpanKind, StatusCode, Tracer, get_current_span

from moorage.domain.ports import DEFAULT_ALGORITHM, BlobStore, FileLink, UrlLink


class TracedBlobStore:
    """A `BlobStore` that traces another one."""

    def __init__(self, blobs: BlobStore, tracer: Tracer) -> None:
        self._blobs = blobs
        self._tracer = tracer

    async def append(
        self, upload: str, offset: int, chunks: AsyncIterator[bytes], algorithm: str = DEFAULT_ALGORITHM
    ) -> int:
        with self._span("append"):
            return await self._blobs.append(upload, offset, chunks, algorithm)

    async def store_small(self, upload: str, chunks: Sequence[bytes], algorithm: str) -> bool:
        with self._span("store_small"):
            return await self._blobs.store_small(upload, chunks, algorithm)

    def small_size(self, upload: str, *digests: str) -> int:
        return self._blobs.small_size(upload, *digests)

    async def received(self, upload: str, start: int, limit: int) -> bytes | None:
        return await self._blobs.received(upload, start, limit)

    async def digest(self, upload: str, size: int, algorithm: str) -> str:
        with self._span("digest"):
            return await self._blobs.digest(upload, size, algorithm)

    async def commit(self, upload: str, digest: str, size: int) -> str:
        with self._span("commit"):
            return await self._blobs.commit(upload, digest, size)

    def committing(self, upload: str, digest: str, size: int) -> Future[str]:
        if not get_current_span().is_recording():
            return self._blobs.committing(upload, digest, size)
        return asyncio.run_coroutine_threadsafe(self.commit(upload, digest, size), asyncio.get_running_loop())

    async def abandon(self, upload: str) -> None:
        with self._span("abandon"):
            await self._blobs.abandon(upload)

    async def content(self, key: str) -> bytes:
        with self._span("content"):
            return await self._blobs.content(key)

    async def size(self, key: str) -> int:
        with self._span("size"):
            return await self._blobs.size(key)

    async def read(self, key: str, start: int, stop: int) -> AsyncIterator[bytes]:
        if not get_current_span().is_recording():
            async for chunk in self._blobs.read(key, start, stop):
                yield chunk
            return
        # Not the current span, because other code of the request runs between two chunks.
        span = self._tracer.start_span("blobs read", kind=SpanKind.CLIENT)
        try:
            async for chunk in self._blobs.read(key, start, stop):
                yield chunk
        except Exception:
            span.set_status(StatusCode.ERROR)
            raise
        finally:
            span.end()

    def link(self, key: str) -> FileLink | UrlLink | None:
        return self._blobs.link(key)

    async def delete(self, *keys: str) -> None:
        with self._span("delete"):
            await self._blobs.delete(*keys)

    @contextmanager
    def _span(self, operation: str) -> Iterator[None]:
        if not get_current_span().is_recording():
            yield
            return
        with self._tracer.start_as_current_span(f"blobs {operation}", kind=SpanKind.CLIENT):
            yield
