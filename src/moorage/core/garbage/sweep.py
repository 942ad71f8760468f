"""What the store has and no row can ever name: left by crashes between the bytes and the row, and removed here.

No clock decides, and no age: a key is named by the transaction that ends the upload it came from, so what is of an
upload that is over is named by now, or never will be. A registry that has moved away sweeps no more: into a bucket that
both share the other one brings what no row here will name. It was sealed before the other one was there, so whoever
looks after having found something knows.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from moorage.core.garbage.collect import Garbage, Report
from moorage.core.pacing import Pace
from moorage.domain.batches import batches
from moorage.domain.ports import BlobStore, Listing
from moorage.metadata.database import Database
from moorage.metadata.garbage import verification
from moorage.metadata.migration import moves

_BATCH: Final = 500


class Sweeper:
    """Goes through all that the store has."""

    def __init__(self, database: Database, blobs: BlobStore, listing: Listing) -> None:
        self._database = database
        self._blobs = blobs
        self._listing = listing

    async def sweep(self, report: Report, *, share: float, dry_run: bool) -> None:
        """Remove bytes without a row, or with `dry_run` only report them. Raises OSError, Unavailable.

        The sweep takes `share` of the time of a processor, up to 1.
        """
        pace = Pace(share)
        await self._states(report, dry_run=dry_run)
        async for uploads in self._listing.uploads():
            for batch in batches(uploads, _BATCH):
                ended = await pace.read(self._database, partial(verification.ended_uploads, uploads=batch))
                await self._remove(ended, self._listing.remove_upload, report, dry_run=dry_run)
                await pace.rest()
        async for objects in self._listing.objects():
            for group in batches(objects, _BATCH):
                found = {one.key: one for one in group}
                keys = {key: one.upload for key, one in found.items()}
                unknown = await pace.read(self._database, partial(verification.unknown_keys, keys=keys))
                await pace.rest()
                if unknown and await self._has_moved():
                    return
                if unknown and not dry_run:
                    await self._blobs.delete(*unknown)
                for key in unknown:
                    report(Garbage("unknown blob", key, found[key].size, "no row names it, and its upload is over"))

    async def _states(self, report: Report, *, dry_run: bool) -> None:
        """Uploads that ended without their store hearing of it: with their repository, or in a crash."""
        after = ""
        while ended := await self._database.read(partial(verification.orphaned_states, after=after, limit=_BATCH)):
            await self._remove(ended, self._blobs.abandon, report, dry_run=dry_run)
            after = ended[-1]

    async def _has_moved(self) -> bool:
        return await self._database.read(moves.is_sealed)

    async def _remove(
        self, uploads: list[str], remove: Callable[[str], Awaitable[None]], report: Report, *, dry_run: bool
    ) -> None:
        if uploads and await self._has_moved():
            return
        for upload in uploads:
            if not dry_run:
                await remove(upload)
            report(Garbage("unknown upload", upload, 0, "it is over, and something of it was left"))
