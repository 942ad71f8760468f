"""Copy blobs to the target of a migration, compare them with their digests, and record them. The source keeps serving.

A storage key is used once and its bytes never change. Recorded blobs therefore stay valid, and each pass copies only
what is new. The target's store receives a blob as an upload whose id is derived from the migration and the source's
key. After a crash, the next run finds the same upload: it is committed, or the run starts it again.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from moorage import failpoints
from moorage.core.own_store import OwnStore
from moorage.core.pacing import RateLimit
from moorage.core.tasks import run_all
from moorage.domain.errors import Unavailable
from moorage.domain.failures import is_damage
from moorage.domain.ports import BlobMissing, BlobStore, Listing, UploadBusy, UploadMissing
from moorage.metadata.database import Database
from moorage.metadata.engines.engine import Engine
from moorage.metadata.garbage import verification
from moorage.metadata.garbage.verification import BlobRow
from moorage.metadata.migration import records
from moorage.metadata.migration.records import CopiedBlob

PAGE_BLOBS: Final = 500
"""Rows of blobs that are read at a time."""

_AT_ONCE: Final = 6
"""Blobs that are copied at the same time: enough to use the time that one waits, few enough for memory."""


@dataclass(frozen=True, slots=True)
class MigrationEnd:
    """The source or the target of a migration; `name` is its place, `own_store` checks whose `blobs` are."""

    name: str
    engine: Engine
    database: Database
    blobs: BlobStore
    listing: Listing
    own_store: OwnStore


@dataclass(slots=True)
class Progress:
    """The progress of a migration. `damaged` lists blobs with the reason.

    `copied` and `copied_blobs` count what this run copied. The other numbers include what earlier runs copied.
    """

    blobs: int = 0
    bytes: int = 0
    of_blobs: int = 0
    of_bytes: int = 0
    copied: int = 0
    copied_blobs: int = 0
    rows: int = 0
    step: str = "copying layers"
    damaged: list[str] = field(default_factory=list)


class _Damaged(Exception):
    """The bytes of a blob are missing or damaged at the source; the text says how."""


class BlobCopier:
    """Copies the blobs of `source` to `target`. `migration` is the migration's id."""

    def __init__(
        self, source: MigrationEnd, target: MigrationEnd, migration: str, rate: RateLimit, progress: Progress
    ) -> None:
        self._source = source
        self._target = target
        self._upload_namespace = uuid.UUID(migration)
        self._rate = rate
        self._progress = progress
        self._checked_earlier_copies = False

    async def copy(self) -> None:
        """Copy all blobs that the target lacks. The first call also checks the blobs that earlier runs copied.

        Damaged blobs are reported in `progress`, and the others are copied. Raises Unavailable, StoreFull, OSError.
        """
        progress = self._progress
        progress.of_blobs, progress.of_bytes = await self._source.database.read(records.totals)
        progress.blobs = progress.bytes = 0
        progress.damaged.clear()
        await self._copy_all(self._rows())
        self._checked_earlier_copies = True

    async def copy_rows(self, rows: Sequence[BlobRow]) -> None:
        """Copy these blobs, unless the target has them, as `copy` does."""
        await self._copy_all(self._with_copies(rows))

    async def _copy_all(self, rows: AsyncIterator[tuple[BlobRow, CopiedBlob | None]]) -> None:
        lock = asyncio.Lock()
        await run_all([self._work(rows, lock) for _ in range(_AT_ONCE)])

    async def _work(self, rows: AsyncIterator[tuple[BlobRow, CopiedBlob | None]], lock: asyncio.Lock) -> None:
        """Take one row after the other and copy its blob. The lock gives each row to one worker."""
        while True:
            async with lock:
                try:
                    row, copied = await anext(rows)
                except StopAsyncIteration:
                    return
            await self._copy_if_missing(row, copied)

    async def _rows(self) -> AsyncIterator[tuple[BlobRow, CopiedBlob | None]]:
        """Every blob that is not marked as damaged, with the record of its copy."""
        after = 0
        while page := await self._source.database.read(partial(verification.blobs, after=after, limit=PAGE_BLOBS)):
            async for row in self._with_copies(page):
                yield row
            after = page[-1].id

    async def _with_copies(self, page: Sequence[BlobRow]) -> AsyncIterator[tuple[BlobRow, CopiedBlob | None]]:
        keys = [row.key for row in page]
        copied = await self._target.database.read(partial(records.copied_blobs, source_keys=keys))
        for row in page:
            if not row.is_damaged:
                yield row, copied.get(row.key)

    async def _copy_if_missing(self, row: BlobRow, copied: CopiedBlob | None) -> None:
        if copied is None or not await self._is_intact(copied):
            try:
                await self._copy(row)
            except _Damaged as damage:
                if await self._source.database.read(partial(verification.blob, key=row.key)) is None:
                    return  # It was collected meanwhile.
                self._progress.damaged.append(f"{row.digest}: {damage}")
                return
            self._progress.copied_blobs += 1
        self._progress.blobs += 1
        self._progress.bytes += row.size

    async def _is_intact(self, copied: CopiedBlob) -> bool:
        """Whether the target still has a copy of an earlier run, with the right size. Only the first pass checks."""
        if self._checked_earlier_copies:
            return True
        with suppress(BlobMissing):
            if await self._target.blobs.size(copied.key) == copied.size:
                return True
        await self._target.database.write(partial(records.forget_blobs, blobs=[copied]))
        return False

    async def _copy(self, row: BlobRow) -> None:
        """Copy one blob and record it. Raises _Damaged."""
        upload = str(uuid.uuid5(self._upload_namespace, row.key))
        try:
            key = await self._transfer(row, upload)
        except (UploadBusy, UploadMissing) as error:  # A state that could not be saved, or another program's work.
            raise Unavailable(reason=f"{self._target.name} lost the copy of {row.digest} ({error})") from None
        if await self._target.blobs.size(key) != row.size:
            raise Unavailable(reason=f"{self._target.name} did not store all bytes of {row.digest}")
        failpoints.hit("T1")
        blob = CopiedBlob(row.key, key, row.digest, row.size)
        await self._target.database.write(partial(records.record_blob, blob=blob, upload=upload))
        failpoints.hit("T2")

    async def _transfer(self, row: BlobRow, upload: str) -> str:
        """Commit the upload of an earlier run, or upload the blob now; returns its key at the target."""
        blobs = self._target.blobs
        with suppress(UploadMissing):
            return await blobs.commit(upload, row.digest, row.size)
        algorithm = row.digest.partition(":")[0]
        try:
            await blobs.append(upload, 0, self._source_bytes(row), algorithm)
        except _Damaged:
            await blobs.abandon(upload)
            raise
        found = await blobs.digest(upload, row.size, algorithm)
        if found != row.digest:
            await blobs.abandon(upload)
            raise _Damaged(f"its bytes have the digest {found}")
        return await blobs.commit(upload, row.digest, row.size)

    async def _source_bytes(self, row: BlobRow) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._source.blobs.read(row.key, 0, row.size):
                yield chunk
                self._progress.copied += len(chunk)
                await self._rate.limit(len(chunk))
        except BlobMissing:
            raise _Damaged("missing") from None
        except OSError as error:
            if not is_damage(error):
                raise
            raise _Damaged(f"cannot be read: {error.strerror}") from None
