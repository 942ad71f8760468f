"""Back up a registry in a data folder while it serves: the database first, then the blobs that its copy names.

    copy the database ──> copy the blobs that it names ──> publish the copy ──> remove blobs that it does not name
          ^                          │
          └── some were collected ───┘

Every blob that a copy of the database names was stored before the copy was made. The collector may remove some of them
while others are copied. Then the database is copied again: the newer copy does not name them, and few blobs are new in
it. The folder is a complete backup at every moment, of the earlier or the newer state. So an interrupted backup is run
again, and continues: a storage key is used once, so a blob that is there stays valid.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol

from moorage import failpoints
from moorage.core.migration.blobs import PAGE_BLOBS
from moorage.core.pacing import RateLimit
from moorage.core.tasks import run_all
from moorage.domain.errors import Unavailable
from moorage.domain.failures import is_damage
from moorage.domain.ports import BlobMissing, BlobStore, FileLink, StoredObject
from moorage.metadata.database import Database, Transaction
from moorage.metadata.engines.sqlite.copying import DatabaseCopy
from moorage.metadata.garbage import verification
from moorage.metadata.garbage.verification import BlobRow

_AT_ONCE: Final = 4
_COPIES: Final = 10
"""The first pass over the blobs can take hours, the others take seconds: collections do not meet all of them."""


class BackupSource(BlobStore, Protocol):
    """A blob store whose blobs are files."""

    def link(self, key: str) -> FileLink:
        """The file of a blob."""


class BackupTarget(Protocol):
    """Where the blobs go, under the keys that they have in the registry."""

    async def has(self, key: str, size: int) -> bool:
        """Whether the blob is there with this size."""

    async def add(self, key: str, digest: str, size: int, chunks: AsyncIterator[bytes]) -> str:
        """Store a blob, durably, unless `chunks` have another digest; returns theirs. Raises StoreFull, OSError."""

    async def link(self, key: str, file: FileLink) -> None:
        """Give the blob's file a second name there, durably. Raises FileNotFoundError, OSError."""

    def read(self, key: str, size: int) -> AsyncIterator[bytes]:
        """The bytes of a blob. Raises BlobMissing, OSError."""

    def publish(self) -> None:
        """Make the copy of the database that of the backup, durably. Raises OSError."""

    def objects(self) -> AsyncIterator[list[StoredObject]]:
        """All blobs, in batches."""

    async def remove(self, keys: list[str]) -> None:
        """Delete blobs, durably."""


@dataclass(frozen=True, slots=True)
class BackupOptions:
    """Options of a backup.

    With `hard_links` blobs get a second name instead of a copy. With `read_back` the blobs that the backup has already
    are read and compared with their digests.
    """

    rate: RateLimit
    hard_links: bool
    read_back: bool


@dataclass(slots=True)
class BackupResult:
    """What the backup has: blobs and their bytes, those that this run added, and blobs that have no good copy."""

    blobs: int = 0
    bytes: int = 0
    added: int = 0
    added_bytes: int = 0
    damaged: list[str] = field(default_factory=list)


class _Damaged(Exception):
    """The registry has no good copy of a blob; the text gives the reason."""


class Backup:
    """Copies a registry to `target`, and its database to `copy`."""

    def __init__(
        self, database: Database, blobs: BackupSource, copy: DatabaseCopy, target: BackupTarget, options: BackupOptions
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._copy = copy
        self._target = target
        self._options = options
        self._result = BackupResult()
        self._reads_back = options.read_back
        self._collected = False

    async def run(self, done: Callable[[int], None]) -> BackupResult:
        """Back up. `done` gets the size of each blob. Raises DatabaseUnusable, Unavailable, StoreFull, OSError.

        A blob without a good copy is in the result, and the backup has everything else.
        """
        for _ in range(_COPIES):
            await asyncio.to_thread(self._copy.refresh)
            failpoints.hit("B1")
            with self._copy.reading() as tx:
                if await self._add_all(tx, done):
                    failpoints.hit("B2")
                    self._target.publish()
                    failpoints.hit("B3")
                    await self._remove_others(tx)
                    return self._result
            done, self._reads_back = _ignore, False
        raise Unavailable(reason="Layers were collected during every pass. Run the backup while nothing is collected")

    async def _add_all(self, tx: Transaction, done: Callable[[int], None]) -> bool:
        """Add the blobs that the copy of the database names; False if some were collected meanwhile."""
        self._collected = False
        self._result = BackupResult(added=self._result.added, added_bytes=self._result.added_bytes)
        after = 0
        while page := verification.blobs(tx, after, PAGE_BLOBS):
            rows = iter([row for row in page if not row.is_damaged])
            await run_all([self._work(rows, done) for _ in range(_AT_ONCE)])
            after = page[-1].id
        return not self._collected

    async def _work(self, rows: Iterator[BlobRow], done: Callable[[int], None]) -> None:
        """Take one row after the other."""
        for row in rows:
            try:
                await self._add_if_missing(row)
            except _Damaged as damage:
                await self._note(row, damage)
            else:
                self._result.blobs += 1
                self._result.bytes += row.size
            done(row.size)

    async def _note(self, row: BlobRow, damage: _Damaged) -> None:
        """Note that a blob is damaged, or that the copy of the database is older than its removal."""
        now = await self._database.read(partial(verification.blob, key=row.key))
        if now is None or now.is_damaged:
            self._collected = True
        else:
            self._result.damaged.append(f"{row.digest}: {damage}")

    async def _add_if_missing(self, row: BlobRow) -> None:
        """Raises _Damaged."""
        if await self._target.has(row.key, row.size):
            if not self._reads_back or await self._is_intact(row):
                return
            await self._target.remove([row.key])
        found = await self._add(row)
        if found != row.digest:
            raise _Damaged(f"its bytes have the digest {found}")
        self._result.added += 1
        self._result.added_bytes += row.size

    async def _add(self, row: BlobRow) -> str:
        """Add a blob; returns the digest of its bytes, if they were read. Raises _Damaged."""
        if not self._options.hard_links:
            return await self._target.add(row.key, row.digest, row.size, self._bytes(row))
        try:
            await self._target.link(row.key, self._blobs.link(row.key))
        except FileNotFoundError:
            raise _Damaged("missing") from None
        if await self._target.has(row.key, row.size) and (not self._reads_back or await self._is_intact(row)):
            return row.digest
        await self._target.remove([row.key])
        raise _Damaged("its bytes do not match its size or digest")

    async def _bytes(self, row: BlobRow) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._blobs.read(row.key, 0, row.size):
                yield chunk
                await self._options.rate.limit(len(chunk))
        except BlobMissing:
            raise _Damaged("missing") from None
        except OSError as error:
            if not is_damage(error):
                raise
            raise _Damaged(f"cannot be read: {error.strerror}") from None

    async def _is_intact(self, row: BlobRow) -> bool:
        """Whether the bytes in the backup have the blob's digest."""
        hasher = hashlib.new(row.digest.partition(":")[0])
        try:
            async for chunk in self._target.read(row.key, row.size):
                await asyncio.to_thread(hasher.update, chunk)
                await self._options.rate.limit(len(chunk))
        except OSError as error:
            if not is_damage(error):
                raise
            return False
        return row.digest.endswith(f":{hasher.hexdigest()}")

    async def _remove_others(self, tx: Transaction) -> None:
        """Remove the blobs that the published copy of the database does not name."""
        async for objects in self._target.objects():
            keys = [stored.key for stored in objects]
            named = {row.key for row in verification.blobs_of_keys(tx, keys)}
            await self._target.remove([key for key in keys if key not in named])


def _ignore(_size: int) -> None:
    """Progress is shown of the first pass only."""
