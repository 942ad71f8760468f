"""Restore a backup: its blobs first, each compared with its digest, then its database, which names them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

from moorage.core.migration.backup import BackupResult, BackupTarget
from moorage.core.migration.blobs import PAGE_BLOBS
from moorage.core.tasks import run_all
from moorage.domain.failures import is_damage
from moorage.domain.ports import BlobMissing, BlobStore
from moorage.metadata.engines.sqlite.copying import DatabaseCopy
from moorage.metadata.garbage import verification
from moorage.metadata.garbage.verification import BlobRow

_AT_ONCE = 2


class Restore:
    """Copies a backup to a new data folder. A run that was interrupted is continued."""

    def __init__(self, copy: DatabaseCopy, blobs: BlobStore, target: BackupTarget) -> None:
        self._copy = copy
        self._blobs = blobs
        self._target = target
        self._result = BackupResult()

    async def run(self, done: Callable[[int], None]) -> BackupResult:
        """Restore; `done` gets the size of each blob. Raises DatabaseUnusable, StoreFull, OSError.

        A blob that the backup does not have whole is in the result, and everything else is restored.
        """
        await asyncio.to_thread(self._copy.restore)
        with self._copy.reading() as tx:
            after = 0
            while page := verification.blobs(tx, after, PAGE_BLOBS):
                rows = iter([row for row in page if not row.is_damaged])
                await run_all([self._work(rows, done) for _ in range(_AT_ONCE)])
                after = page[-1].id
        self._target.publish()
        return self._result

    async def _work(self, rows: Iterator[BlobRow], done: Callable[[int], None]) -> None:
        """Take one row after the other."""
        for row in rows:
            reason = "" if await self._target.has(row.key, row.size) else await self._add(row)
            if reason:
                self._result.damaged.append(f"{row.digest}: {reason}")
            else:
                self._result.blobs += 1
                self._result.bytes += row.size
            done(row.size)

    async def _add(self, row: BlobRow) -> str:
        """Why a blob is not whole in the backup; empty if it is restored. Raises StoreFull, OSError."""
        try:
            found = await self._target.add(row.key, row.digest, row.size, self._bytes(row))
        except BlobMissing:
            return "missing"
        except OSError as error:
            if not is_damage(error):
                raise
            return f"cannot be read: {error.strerror}"
        return "" if found == row.digest else f"its bytes have the digest {found}"

    async def _bytes(self, row: BlobRow) -> AsyncIterator[bytes]:
        async for chunk in self._blobs.read(row.key, 0, row.size):
            yield chunk
