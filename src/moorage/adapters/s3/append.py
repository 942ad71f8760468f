"""An append to an upload in an object store: new bytes arrive while earlier parts are sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from moorage import failpoints
from moorage.adapters.s3 import hash_state as saved_hashes
from moorage.adapters.s3.client import Buffer
from moorage.adapters.s3.objects import Objects
from moorage.adapters.s3.upload_state import Content, Multipart, Part, UploadObject, UploadRecord
from moorage.domain.errors import Unavailable
from moorage.domain.ports import StoreFull, UploadMissing

PART_MINIMUM: Final = 5 << 20
"""The minimum for every part but the last ("Amazon S3 multipart upload limits")."""

PART_BYTES: Final = 10 << 20
"""The size of the first parts. InitiateLayerUpload asks clients for this size, so one of their parts is one of ours."""

FULL_SIZE_APPENDS: Final = 4
"""With more concurrent appends in one process, parts have half the size, because each append keeps one in memory."""

MAX_PARTS: Final = 10_000
PARTS_PER_SIZE: Final = 1_500
"""How many part numbers exist, and after how many parts the size doubles: 52,000 MiB need at most 5,000 parts."""

MAX_TAIL_OBJECTS: Final = 16
MAX_UNUSED_OBJECTS: Final = 64


@dataclass(slots=True)
class AppendResources:
    """What all appends of a process share: `senders` limits concurrent part uploads, `appends` counts the appends."""

    objects: Objects
    senders: asyncio.Semaphore
    appends: int = 0


class S3Append:
    """Appends one body to an upload, starting from the content that its record describes."""

    def __init__(self, resources: AppendResources, record: UploadRecord, algorithm: str) -> None:
        self._resources = resources
        self._objects = resources.objects
        self._senders = resources.senders
        self._record = record
        self._content = record.state.current
        self._tail = self._content.tail
        self._buffer = bytearray()
        self._size = self._content.size
        self._algorithm = algorithm
        self._hash = self._resumed_hash() if self._size else saved_hashes.begin(algorithm)
        self._sending: list[asyncio.Task[Part]] = []
        self._new_key: str | None = None

    def _resumed_hash(self) -> saved_hashes.SavedHash | None:
        """The hash of the content so far; None if it was lost, or if the content was hashed with another algorithm."""
        if self._content.digest(self._algorithm) is None:
            return None
        return saved_hashes.resume(self._algorithm, self._content.hash_state)

    async def run(self, chunks: AsyncIterator[bytes]) -> int:
        """Store the whole body and return the new size. Raises what `BlobStore.append` raises."""
        self._resources.appends += 1
        try:
            async for chunk in chunks:
                await self._receive(chunk)
            await self._finish()
        except BaseException as error:
            await asyncio.shield(asyncio.create_task(self._clean_up(error)))
            raise
        finally:
            self._resources.appends -= 1
        return self._size

    async def _receive(self, chunk: bytes) -> None:
        self._buffer += chunk
        self._size += len(chunk)
        if self._hash is not None:
            self._hash.update(chunk)
        failpoints.hit("U2")
        if self._pending >= part_bytes(
            self._record.state.last_number, half_size=self._resources.appends > FULL_SIZE_APPENDS
        ):
            await self._start_part()

    @property
    def _pending(self) -> int:
        """The number of bytes that are not in a part yet."""
        return len(self._buffer) + sum(item.size for item in self._tail)

    async def _start_part(self) -> None:
        """Start sending the pending bytes as a part; receiving continues meanwhile."""
        await self._senders.acquire()
        try:
            multipart, number = await reserve_part_number(self._objects, self._record)
            body: list[Buffer] = [await self._objects.get(item.key) for item in self._tail]
        except BaseException:
            self._senders.release()
            raise
        body.append(self._buffer)
        self._tail, self._buffer = (), bytearray()
        self._sending.append(asyncio.create_task(self._send(multipart, number, body)))
        for task in self._sending:
            if task.done():
                task.result()

    async def _send(self, multipart: Multipart, number: int, body: list[Buffer]) -> Part:
        try:
            return await self._objects.upload_part(multipart.key, multipart.id, number, body)
        finally:
            self._senders.release()

    async def _finish(self) -> None:
        if self._pending >= PART_MINIMUM:
            await self._start_part()
        elif self._buffer:
            await self._put_tail()
        parts = list(await asyncio.gather(*self._sending))
        failpoints.hit("U3")
        state = self._record.state
        if self._size == self._content.size:
            await self._record.save()
            return
        await self._delete_unused()
        state.extend(
            Content(
                size=self._size,
                parts=self._content.parts + len(parts),
                tail=self._tail,
                hash_state=self._hash.state() if self._hash else b"",
                digests=(f"{self._algorithm}:{self._hash.hexdigest()}",) if self._hash else (),
            ),
            parts,
        )
        await self._record.save()

    async def _put_tail(self) -> None:
        """Store the last bytes, too few for a part, as an object. Merges the tail when it has many objects."""
        body: list[Buffer] = []
        if len(self._tail) >= MAX_TAIL_OBJECTS:
            body = [await self._objects.get(item.key) for item in self._tail]
            self._tail = ()
        body.append(self._buffer)
        self._new_key = self._record.new_key()
        await self._objects.put(self._new_key, body)
        self._tail = (*self._tail, UploadObject(self._new_key, sum(map(len, body))))

    async def _delete_unused(self) -> None:
        """Delete unused objects once there are many; the rest are deleted when the upload ends."""
        state = self._record.state
        needed = {item.key for item in state.current.tail}
        spent = [key for key in state.unused if key not in needed]
        if len(spent) > MAX_UNUSED_OBJECTS:
            await self._objects.delete(spent)
            state.unused = []

    async def _clean_up(self, error: BaseException) -> None:
        """Leave no object that the state does not list. Unlisted parts disappear with their multipart upload."""
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        with suppress(Unavailable, StoreFull):  # the first failure is already on its way to the caller
            if self._new_key is not None:
                await self._objects.delete([self._new_key])
            multipart = self._record.state.multipart
            if isinstance(error, UploadMissing) and multipart is not None:
                await self._objects.abort(multipart.key, multipart.id)  # a part may have arrived after another abort


async def reserve_part_number(objects: Objects, record: UploadRecord) -> tuple[Multipart, int]:
    """A part number that no other request has. Creates the multipart upload if the upload has none.

    Raises UploadBusy, UploadMissing; StoreFull when all part numbers are used.
    """
    state = record.state
    begun = state.multipart or Multipart(key := record.new_key(), await objects.create_multipart(key))
    if state.last_number >= MAX_PARTS:
        raise StoreFull("the upload has too many parts")
    is_new = state.multipart is None
    state.multipart = begun
    state.last_number += 1
    number = state.last_number
    try:
        await record.save()
    except BaseException:
        if is_new:
            await objects.abort(begun.key, begun.id)
        raise
    return begun, number


def part_bytes(numbers: int, *, half_size: bool) -> int:
    """The size of the next part, after `last_number` parts."""
    return (PART_MINIMUM if half_size else PART_BYTES) << (numbers // PARTS_PER_SIZE)
