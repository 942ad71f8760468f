"""The sweeper: removes bytes that no row references, left by crashes between storing the bytes and writing the row.

A blob gets its row in the transaction that ends its upload. So if the upload has ended and there is no row for the
blob's key, there will never be one. An upload without a row has ended when it is recorded as finished, or when its id
is so old that it can no longer be completed (`domain/registry/upload_ids.py`).

A registry that was migrated away does not sweep: if both registries share a bucket, the target stores blobs there that
have no row in the source. The source is sealed before the target exists, so checking for the seal after finding unknown
bytes, and before deleting them, is sufficient.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from moorage.core.clock import Clock
from moorage.core.garbage.collect import GarbageItem, ReportItem
from moorage.core.pacing import Throttle
from moorage.domain.batches import batches
from moorage.domain.ports import BlobStore, Listing
from moorage.metadata.database import Database
from moorage.metadata.garbage import verification
from moorage.metadata.migration import records

_BATCH: Final = 500


class Sweeper:
    """Lists everything in the blob store, and removes what has no row."""

    def __init__(self, database: Database, blobs: BlobStore, listing: Listing, now: Clock) -> None:
        self._database = database
        self._blobs = blobs
        self._listing = listing
        self._now = now

    async def sweep(self, report: ReportItem, *, share: float, dry_run: bool) -> None:
        """Remove bytes without a row, or with `dry_run` only report them. Raises OSError, Unavailable.

        The sweep uses `share` of one processor's time, at most 1.
        """
        throttle = Throttle(share)
        await self._states(report, dry_run=dry_run)
        async for uploads in self._listing.uploads():
            for batch in batches(uploads, _BATCH):
                ended = await throttle.read(
                    self._database, partial(verification.ended_uploads, uploads=batch, now=self._now())
                )
                await self._remove(ended, self._listing.remove_upload, report, dry_run=dry_run)
                await throttle.rest()
        async for objects in self._listing.objects():
            for group in batches(objects, _BATCH):
                found = {stored.key: stored for stored in group}
                keys = {key: stored.upload for key, stored in found.items()}
                find = partial(verification.unknown_keys, keys=keys, now=self._now())
                unknown = await throttle.read(self._database, find)
                await throttle.rest()
                if unknown and await self._has_moved():
                    return
                if unknown and not dry_run:
                    await self._blobs.delete(*unknown)
                for key in unknown:
                    report(
                        GarbageItem(
                            "unknown blob", key, found[key].size, "no row references it, and its upload has ended"
                        )
                    )

    async def _states(self, report: ReportItem, *, dry_run: bool) -> None:
        """Abandon uploads that ended without telling the blob store: with their repository, or in a crash."""
        after = ""
        while ended := await self._database.read(partial(verification.orphaned_states, after=after, limit=_BATCH)):
            await self._remove(ended, self._blobs.abandon, report, dry_run=dry_run)
            after = ended[-1]

    async def _has_moved(self) -> bool:
        return await self._database.read(records.is_sealed)

    async def _remove(
        self, uploads: list[str], remove: Callable[[str], Awaitable[None]], report: ReportItem, *, dry_run: bool
    ) -> None:
        if uploads and await self._has_moved():
            return
        for upload in uploads:
            if not dry_run:
                await remove(upload)
            report(GarbageItem("unknown upload", upload, 0, "it has ended, but some of its data is left"))
