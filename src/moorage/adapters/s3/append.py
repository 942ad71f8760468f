"""One append to an upload on an object store: the next bytes arrive while parts before them are sent."""

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
from moorage.adapters.s3.upload_state import Content, Ledger, Multipart, Part, Piece
from moorage.domain.errors import Unavailable
from moorage.domain.ports import StoreFull, UploadMissing

PART_MINIMUM: Final = 5 << 20
"""Of every part but the last ("Amazon S3 multipart upload limits")."""

PART_BYTES: Final = 10 << 20
"""What is sent at once at first: what InitiateLayerUpload asks clients for, so that one of theirs is one of ours."""

CROWD: Final = 4
"""More appends than these at once, in one process, are sent in parts of half the size: each holds one in memory."""

MOST_PARTS: Final = 10_000
PARTS_OF_ONE_SIZE: Final = 1_500
"""How many part numbers there are, and after how many parts are twice as large: 52,000 MiB take at most 5,000."""

MOST_PIECES: Final = 16
MOST_SPENT: Final = 64


@dataclass(slots=True)
class Means:
    """What the appends of a process share: `senders` bounds the parts on their way, `appends` counts who receives."""

    objects: Objects
    senders: asyncio.Semaphore
    appends: int = 0


class Append:
    """Appends the chunks of one body to what the notes say is there."""

    def __init__(self, means: Means, ledger: Ledger) -> None:
        self._means = means
        self._objects = means.objects
        self._senders = means.senders
        self._ledger = ledger
        self._content = ledger.notes.now
        self._pieces = self._content.pieces
        self._buffer = bytearray()
        self._size = self._content.size
        self._hash = saved_hashes.resume(self._content.hash_state) if self._size else saved_hashes.begin()
        self._sending: list[asyncio.Task[Part]] = []
        self._put: str | None = None

    async def run(self, chunks: AsyncIterator[bytes]) -> int:
        """Store the whole body, and return the new size. Raises what `BlobStore.append` does."""
        self._means.appends += 1
        try:
            async for chunk in chunks:
                await self._take(chunk)
            await self._finish()
        except BaseException as error:
            await asyncio.shield(asyncio.create_task(self._give_up(error)))
            raise
        finally:
            self._means.appends -= 1
        return self._size

    async def _take(self, chunk: bytes) -> None:
        self._buffer += chunk
        self._size += len(chunk)
        if self._hash is not None:
            self._hash.update(chunk)
        failpoints.hit("U2")
        if self._pending >= part_bytes(self._ledger.notes.numbers, crowded=self._means.appends > CROWD):
            await self._ship()

    @property
    def _pending(self) -> int:
        """Bytes that are in no part yet."""
        return len(self._buffer) + sum(piece.size for piece in self._pieces)

    async def _ship(self) -> None:
        """Send what is pending as a part, and go on receiving meanwhile."""
        await self._senders.acquire()
        try:
            multipart, number = await reserve(self._objects, self._ledger)
            body: list[Buffer] = [await self._objects.get(piece.key) for piece in self._pieces]
        except BaseException:
            self._senders.release()
            raise
        body.append(self._buffer)
        self._pieces, self._buffer = (), bytearray()
        self._sending.append(asyncio.create_task(self._send(multipart, number, body)))
        for task in self._sending:
            if task.done():
                task.result()

    async def _send(self, multipart: Multipart, number: int, body: list[Buffer]) -> Part:
        try:
            return await self._objects.send(multipart.key, multipart.id, number, body)
        finally:
            self._senders.release()

    async def _finish(self) -> None:
        if self._pending >= PART_MINIMUM:
            await self._ship()
        elif self._buffer:
            await self._put_piece()
        parts = list(await asyncio.gather(*self._sending))
        failpoints.hit("U3")
        notes = self._ledger.notes
        if self._size == self._content.size:
            await self._ledger.save()
            return
        await self._sweep()
        notes.grow(
            Content(
                size=self._size,
                parts=self._content.parts + len(parts),
                pieces=self._pieces,
                hash_state=self._hash.state() if self._hash else b"",
                digests=(f"sha256:{self._hash.hexdigest()}",) if self._hash else (),
            ),
            parts,
        )
        await self._ledger.save()

    async def _put_piece(self) -> None:
        """Store what is too little for a part; together with other such pieces once there are many."""
        body: list[Buffer] = []
        if len(self._pieces) >= MOST_PIECES:
            body = [await self._objects.get(piece.key) for piece in self._pieces]
            self._pieces = ()
        body.append(self._buffer)
        self._put = self._ledger.new_key()
        await self._objects.put(self._put, body)
        self._pieces = (*self._pieces, Piece(self._put, sum(map(len, body))))

    async def _sweep(self) -> None:
        """Remove spent objects once there are many; the rest go when the upload ends."""
        notes = self._ledger.notes
        needed = {piece.key for piece in notes.now.pieces}
        spent = [key for key in notes.spent if key not in needed]
        if len(spent) > MOST_SPENT:
            await self._objects.delete(spent)
            notes.spent = []

    async def _give_up(self, error: BaseException) -> None:
        """Leave nothing that the notes do not know of; parts that nobody lists go with their multipart upload."""
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        with suppress(Unavailable, StoreFull):  # the first failure is already on its way to the caller
            if self._put is not None:
                await self._objects.delete([self._put])
            multipart = self._ledger.notes.multipart
            if isinstance(error, UploadMissing) and multipart is not None:
                await self._objects.abort(multipart.key, multipart.id)  # a part may have come in after it was aborted


async def reserve(objects: Objects, ledger: Ledger) -> tuple[Multipart, int]:
    """A part number that no other request has, of the upload's multipart upload, which is begun if there is none.

    Raises UploadBusy, UploadMissing; StoreFull when there are no more numbers.
    """
    notes = ledger.notes
    begun = notes.multipart or Multipart(key := ledger.new_key(), await objects.begin(key))
    if notes.numbers >= MOST_PARTS:
        raise StoreFull("the upload came in too many parts")
    is_new = notes.multipart is None
    notes.multipart = begun
    notes.numbers += 1
    number = notes.numbers
    try:
        await ledger.save()
    except BaseException:
        if is_new:
            await objects.abort(begun.key, begun.id)
        raise
    return begun, number


def part_bytes(numbers: int, *, crowded: bool) -> int:
    """How large the next part is, after so many were sent."""
    return (PART_MINIMUM if crowded else PART_BYTES) << (numbers // PARTS_OF_ONE_SIZE)
