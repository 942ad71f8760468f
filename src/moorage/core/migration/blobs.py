"""Blobs on their way from one registry to another, while the source serves: copied, compared, and only then noted.

A storage key is used once and its bytes never change, so what was noted stays true, and a pass copies what is new. The
target's store receives a blob as an upload whose id follows from the move and the source's key: a run that goes on
after a crash comes to the same upload, finds it committed, or begins it again.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from moorage import failpoints
from moorage.core.pacing import RateLimit
from moorage.domain.errors import Unavailable
from moorage.domain.ports import BlobMissing, BlobStore, Listing, UploadMissing
from moorage.metadata.database import Database
from moorage.metadata.engines.engine import Engine
from moorage.metadata.garbage import verification
from moorage.metadata.garbage.verification import BlobRow
from moorage.metadata.migration import moves
from moorage.metadata.migration.moves import MovedBlob

PAGE_BLOBS: Final = 500
"""Rows of blobs that are read at a time."""

_AT_ONCE: Final = 6
"""Blobs that are under way at the same time: enough to fill waiting for one with another, few enough for memory."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two registries of a move; `name` says where it is."""

    name: str
    engine: Engine
    database: Database
    blobs: BlobStore
    listing: Listing


@dataclass(slots=True)
class Progress:
    """How far a move is, for whoever shows it. `copied` bytes are of this run; `harmed` blobs cannot be moved."""

    blobs: int = 0
    bytes: int = 0
    of_blobs: int = 0
    of_bytes: int = 0
    copied: int = 0
    rows: int = 0
    step: str = "copying layers"
    harmed: list[str] = field(default_factory=list)


class _Harmed(Exception):
    """The source cannot give the bytes of a blob; the text says why."""


class BlobCopier:
    """Copies blobs of `source` to `target` for the move of this id."""

    def __init__(self, source: Side, target: Side, move: str, rate: RateLimit, progress: Progress) -> None:
        self._source = source
        self._target = target
        self._names = uuid.UUID(move)
        self._rate = rate
        self._progress = progress
        self._has_looked = False

    async def copy(self) -> None:
        """Copy all blobs that the target lacks; the first time, look also at those that an earlier run has copied.

        What cannot be read is told to `progress`, and the others go on. Raises Unavailable, StoreFull, OSError.
        """
        progress = self._progress
        progress.of_blobs, progress.of_bytes = await self._source.database.read(moves.totals)
        progress.blobs = progress.bytes = 0
        progress.harmed.clear()
        rows, turn = self._rows(), asyncio.Lock()
        await _all_or_none([self._work(rows, turn) for _ in range(_AT_ONCE)])
        self._has_looked = True

    async def _work(self, rows: AsyncIterator[tuple[BlobRow, MovedBlob | None]], turn: asyncio.Lock) -> None:
        """See to one row after the other, each of which nobody else takes."""
        while True:
            async with turn:
                try:
                    row, moved = await anext(rows)
                except StopAsyncIteration:
                    return
            await self._see_to(row, moved)

    async def _rows(self) -> AsyncIterator[tuple[BlobRow, MovedBlob | None]]:
        """Every blob that has bytes, with what is noted of it."""
        after = 0
        while page := await self._source.database.read(partial(verification.blobs, after=after, limit=PAGE_BLOBS)):
            moved = await self._target.database.read(partial(moves.moved_blobs, source_keys=[row.key for row in page]))
            for row in page:
                if not row.is_damaged:
                    yield row, moved.get(row.key)
            after = page[-1].id

    async def _see_to(self, row: BlobRow, moved: MovedBlob | None) -> None:
        if moved is None or not await self._is_there(moved):
            try:
                await self._move(row)
            except _Harmed as harm:
                if await self._source.database.read(partial(verification.blob, key=row.key)) is None:
                    return  # It was collected since.
                self._progress.harmed.append(f"{row.digest}: {harm}")
                return
        self._progress.blobs += 1
        self._progress.bytes += row.size

    async def _is_there(self, moved: MovedBlob) -> bool:
        """Whether what an earlier run has noted is still so; what this run has noted it has looked at."""
        if self._has_looked:
            return True
        with suppress(BlobMissing):
            if await self._target.blobs.size(moved.key) == moved.size:
                return True
        await self._target.database.write(partial(moves.forget_blobs, blobs=[moved]))
        return False

    async def _move(self, row: BlobRow) -> None:
        """Copy one blob and note it. Raises _Harmed."""
        upload = str(uuid.uuid5(self._names, row.key))
        key = await self._committed(row, upload)
        if await self._target.blobs.size(key) != row.size:
            raise Unavailable(reason=f"{self._target.name} has not stored all of {row.digest}")
        failpoints.hit("T1")
        blob = MovedBlob(row.key, key, row.digest, row.size)
        await self._target.database.write(partial(moves.record_blob, blob=blob, upload=upload))
        failpoints.hit("T2")

    async def _committed(self, row: BlobRow, upload: str) -> str:
        """The key of a blob at the target: of the bytes that a run before had stored, or of those that come now."""
        blobs = self._target.blobs
        with suppress(UploadMissing):
            return await blobs.commit(upload, row.digest, row.size)
        try:
            await blobs.append(upload, 0, self._bytes_of(row))
        except _Harmed:
            await blobs.abandon(upload)
            raise
        found = await blobs.digest(upload, row.size, row.digest.partition(":")[0])
        if found != row.digest:
            await blobs.abandon(upload)
            raise _Harmed(f"has other bytes, of the digest {found}")
        return await blobs.commit(upload, row.digest, row.size)

    async def _bytes_of(self, row: BlobRow) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._source.blobs.read(row.key, 0, row.size):
                yield chunk
                self._progress.copied += len(chunk)
                await self._rate.limit(len(chunk))
        except BlobMissing:
            raise _Harmed("missing") from None
        except OSError as error:
            raise _Harmed(f"cannot be read: {error.strerror}") from None


async def _all_or_none(work: list[Coroutine[Any, Any, None]]) -> None:
    """Wait for all; when one fails, end the others first."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
