"""Blobs as objects in an S3-compatible store.

    PREFIX/blobs/4b/4beb25a3-b780-46dd-88c3-ae037f77d14d-a0b1c2d3e4f50617      a blob, or bytes of an upload
    PREFIX/blobs/registry                                                      the marker of the store's registry

The key is chosen when the first byte arrives, before the digest is known, so no object is ever copied or renamed. The
database records which key holds which digest. The upload id and a random number make every key unique. The state of
each upload is saved with a version in `UploadStates`: of concurrent requests to one upload, one succeeds, without a
lock that a crashed node could keep.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Final

import msgspec

from moorage import failpoints
from moorage.adapters.s3.append import AppendResources, S3Append, reserve_part_number
from moorage.adapters.s3.client import Buffer
from moorage.adapters.s3.objects import Objects
from moorage.adapters.s3.upload_state import CommittedBlob, Content, UploadObject, UploadRecord, UploadState
from moorage.domain.ports import (
    DEFAULT_ALGORITHM,
    MARKER_KEY,
    UPLOAD_ID,
    BlobMissing,
    StoredObject,
    UploadBusy,
    UploadMissing,
    UploadStates,
    UrlLink,
)

LINK_SECONDS: Final = 3600
SENDERS: Final = 4
"""Concurrent part uploads of one process. When all are busy, the next append waits, and so does its client."""

_KEY: Final = re.compile(rf"blobs/([0-9a-f]{{2}})/(?=\1)(?P<upload>{UPLOAD_ID.pattern})-[0-9a-f]{{16}}")


class S3BlobStore:
    """A `BlobStore` in a bucket, shared by all nodes that share the upload states.

    Each process creates its own instance after a fork and uses it from one event loop.
    """

    def __init__(self, objects: Objects, states: UploadStates, *, redirect: bool = True) -> None:
        self._objects = objects
        self._states = states
        self._redirect = redirect
        self._resources = AppendResources(objects, asyncio.Semaphore(SENDERS))

    async def close(self) -> None:
        """Close the connections."""
        await self._objects.close()

    async def marker(self) -> str | None:
        """See `MarkedStore.marker`."""
        await self._objects.check()  # A bucket that does not exist is not one without a marker: both answer 404.
        with suppress(BlobMissing):
            return (await self._objects.get(MARKER_KEY)).decode("ascii", errors="replace").strip()
        return None

    async def mark(self, marker: str) -> None:
        """See `MarkedStore.mark`."""
        await self._objects.put(MARKER_KEY, [f"{marker}\n".encode()])

    async def append(
        self, upload: str, offset: int, chunks: AsyncIterator[bytes], algorithm: str = DEFAULT_ALGORITHM
    ) -> int:
        """See `BlobStore.append`."""
        record = await UploadRecord.open(self._states, upload)
        content = record.state.content_at(offset)
        if content is None or content.finalized or record.state.blob is not None:
            raise UploadMissing(upload)
        if content is not record.state.current:
            record.state.rewind(content)
        return await S3Append(self._resources, record, algorithm).run(chunks)

    async def store_small(self, upload: str, chunks: Sequence[bytes], algorithm: str) -> bool:  # noqa: ARG002
        """See `BlobStore.store_small`: other nodes find the bytes of an upload only by its state in the database."""
        return False

    def small_size(self, upload: str, *digests: str) -> int:  # noqa: ARG002
        """See `BlobStore.small_size`."""
        return 0

    async def received(self, upload: str, start: int, limit: int) -> None:
        """See `BlobStore.received`."""

    async def digest(self, upload: str, size: int, algorithm: str) -> str:
        """See `BlobStore.digest`. Reads the upload only if its digest is not known (`Content`)."""
        record, content = await self._open_at(upload, size)
        known = content.digest(algorithm)
        if known is None:
            known = await self._read_digest(record, content, algorithm)
            await record.save()
        return known

    async def commit(self, upload: str, digest: str, size: int) -> str:
        """See `BlobStore.commit`."""
        record = await UploadRecord.open(self._states, upload)
        blob = record.state.blob or await self._make_blob(record, digest, size)
        if (blob.digest, blob.size) != (digest, size):
            raise UploadMissing(upload)
        await self._clear(record.state)
        failpoints.hit("U9")
        return blob.key

    def committing(self, upload: str, digest: str, size: int) -> Future[str]:
        """See `BlobStore.committing`."""
        return asyncio.run_coroutine_threadsafe(self.commit(upload, digest, size), asyncio.get_running_loop())

    async def abandon(self, upload: str) -> None:
        """See `BlobStore.abandon`. Removes the record last, so a crash leaves no unknown objects."""
        with suppress(UploadMissing):
            while (record := await UploadRecord.open(self._states, upload)).is_known:
                state = record.state
                if state.blob is None:
                    contents = [content for content in (state.current, state.previous) if content is not None]
                    state.unused += [item.key for content in contents for item in content.tail]
                await self._clear(state)
                if await record.remove():
                    return

    async def content(self, key: str) -> bytes:
        """See `BlobStore.content`."""
        return await self._objects.get(_checked(key))

    async def size(self, key: str) -> int:
        """See `BlobStore.size`."""
        size = await self._objects.size(_checked(key))
        if size is None:
            raise BlobMissing(key)
        return size

    async def read(self, key: str, start: int, stop: int) -> AsyncIterator[bytes]:
        """See `BlobStore.read`."""
        async for chunk in self._objects.read(_checked(key), start, stop):
            yield chunk

    def link(self, key: str) -> UrlLink | None:
        """See `BlobStore.link`."""
        return UrlLink(self._objects.link(_checked(key), LINK_SECONDS)) if self._redirect else None

    async def delete(self, *keys: str) -> None:
        """See `BlobStore.delete`."""
        await self._objects.delete([_checked(key) for key in keys])

    async def objects(self) -> AsyncIterator[list[StoredObject]]:
        """See `Listing.objects`."""
        async for listed in self._objects.list_objects("blobs/"):
            found = ((key, _KEY.fullmatch(key), size) for key, size in listed)
            yield [StoredObject(key, name["upload"], size) for key, name, size in found if name]

    async def uploads(self) -> AsyncIterator[list[str]]:
        """See `Listing.uploads`. Lists uploads with a multipart upload."""
        async for begun in self._objects.list_multipart_uploads("blobs/"):
            yield sorted({name["upload"] for key, _ in begun if (name := _KEY.fullmatch(key))})

    async def remove_upload(self, upload: str) -> None:
        """See `Listing.remove_upload`. Also aborts multipart uploads that a crashed process did not record."""
        await self.abandon(upload)
        async for begun in self._objects.list_multipart_uploads(f"blobs/{upload[:2]}/{upload}-"):
            for key, multipart in begun:
                await self._objects.abort(key, multipart)

    async def _open_at(self, upload: str, size: int) -> tuple[UploadRecord, Content]:
        """The record of an upload that is not a blob yet, and its content at that size."""
        record = await UploadRecord.open(self._states, upload)
        content = record.state.content_at(size)
        if content is None or record.state.blob is not None:
            raise UploadMissing(upload)
        return record, content

    async def _make_blob(self, record: UploadRecord, digest: str, size: int) -> CommittedBlob:
        """Make a blob of the first `size` bytes if they have that digest."""
        content = record.state.content_at(size)
        if content is None:
            raise UploadMissing(record.upload)
        algorithm = digest.partition(":")[0]
        known = content.digest(algorithm) or await self._read_digest(record, content, algorithm)
        if known != digest:
            raise UploadMissing(record.upload)
        failpoints.hit("U7")
        blob = CommittedBlob((await self._finalize(record, content)).key, digest, size)
        failpoints.hit("U8")
        record.state.blob = blob
        try:
            await record.save()
        except UploadBusy:
            return await self._blob_of_other_request(record.upload, blob)
        return blob

    async def _blob_of_other_request(self, upload: str, blob: CommittedBlob) -> CommittedBlob:
        """The blob that a concurrent request made of the same upload. Raises UploadBusy."""
        found = (await UploadRecord.open(self._states, upload)).state.blob
        if found is None or (found.digest, found.size) != (blob.digest, blob.size):
            raise UploadBusy(upload)
        if found.key != blob.key:
            await self._objects.delete([blob.key])
        return found

    async def _read_digest(self, record: UploadRecord, content: Content, algorithm: str) -> str:
        """Read an upload to compute its digest; adds it to the state without saving."""
        hasher = hashlib.new(algorithm)
        whole = await self._finalize(record, content)
        async for chunk in self._objects.read(whole.key, 0, whole.size):
            await asyncio.to_thread(hasher.update, chunk)
        digest = f"{algorithm}:{hasher.hexdigest()}"
        now = record.state.current
        record.state.current = msgspec.structs.replace(now, digests=(*now.digests, digest))
        return digest

    async def _finalize(self, record: UploadRecord, content: Content) -> UploadObject:
        """Put an upload's content into one object; changes the state without saving."""
        state = record.state
        content = state.content_at(content.size) or content
        if content is not state.current:
            state.rewind(content)
        if content.whole is not None:
            return content.whole
        whole = await (self._complete(record) if content.parts else self._join(record))
        state.unused += [item.key for item in content.tail]
        state.current = Content(content.size, 0, (whole,), digests=content.digests, finalized=True)
        state.previous = None
        return whole

    async def _join(self, record: UploadRecord) -> UploadObject:
        """Join the tail of an upload that has no parts into one object."""
        whole = UploadObject(record.new_key(), record.state.current.size)
        await self._objects.put(whole.key, await self._read_tail(record))
        return whole

    async def _complete(self, record: UploadRecord) -> UploadObject:
        """Complete the multipart upload; the tail becomes its last part."""
        state, parts = record.state, list(record.state.parts)
        assert state.multipart is not None  # noqa: S101 - for the type checker: there are parts
        key, size = state.multipart.key, state.current.size
        with suppress(UploadMissing):  # another request may have completed it; the size below proves it
            if state.current.tail:
                multipart, number = await reserve_part_number(self._objects, record)
                parts.append(await self._objects.upload_part(key, multipart.id, number, await self._read_tail(record)))
            await self._objects.complete(key, state.multipart.id, parts)
        if await self._objects.size(key) != size:
            raise UploadMissing(record.upload)
        state.multipart, state.parts = None, []
        return UploadObject(key, size)

    async def _read_tail(self, record: UploadRecord) -> list[Buffer]:
        return [await self._objects.get(item.key) for item in record.state.current.tail]

    async def _clear(self, state: UploadState) -> None:
        """Remove objects that hold nothing of the upload any more."""
        if state.multipart is not None:
            await self._objects.abort(state.multipart.key, state.multipart.id)
        if state.unused:
            await self._objects.delete(state.unused)


def _checked(key: str) -> str:
    """Return the key. Raises BlobMissing for a key that this store cannot have created."""
    if _KEY.fullmatch(key) is None:
        raise BlobMissing(key)
    return key
