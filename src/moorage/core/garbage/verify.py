"""Verify stored bytes: read them, compare them with their rows, and repair or quarantine what does not match.

Nothing is deleted. The row of a damaged blob is marked first, so that clients do not get it, and then its bytes are
moved to quarantine. Pushing the layer again repairs it. If a source to repair from has a good copy, it is copied
through an upload of the store, so an interrupted copy is an abandoned upload like any other.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

from moorage import failpoints
from moorage.core.clock import Clock
from moorage.core.garbage.blob_checks import BlobChecks
from moorage.core.pacing import RateLimit
from moorage.domain.ports import BlobMissing, BlobStore, CopySource, Listing, Quarantine, SmallBlobs, UploadMissing
from moorage.metadata.database import Database, Transaction
from moorage.metadata.garbage import verification, verification_results
from moorage.metadata.garbage.verification import BlobRow, ManifestRow
from moorage.metadata.garbage.verification_results import FindingRow
from moorage.metadata.registry import upload_states, uploads
from moorage.metadata.registry.uploads import Upload

_ROWS: Final = 500
_MANIFESTS: Final = 100
_SAVED_SECONDS: Final = 2.0
"""How often the position of the verification is saved."""

OWNER: Final = "verify"
"""The owner of the uploads that repair blobs. It is not the id of a user."""


class EverythingMissing(Exception):
    """The blob store has none of the blobs that the database names."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A mismatch between stored bytes and rows. `repaired` is the source's key if it was repaired."""

    what: str
    name: str
    detail: str
    repaired: str | None = None

    @property
    def is_unrepaired(self) -> bool:
        """Whether a blob or manifest cannot be served. Unknown objects do not count."""
        return self.repaired is None and not self.what.startswith("unknown")


@dataclass(frozen=True, slots=True)
class VerificationReports:
    """Callbacks: `found` for each finding, `read` for the number of bytes that were read."""

    found: Callable[[Finding], None]
    read: Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Stores:
    """The store to verify (`blobs`, `listing`), what it can do besides, and a source to repair from."""

    blobs: BlobStore
    listing: Listing
    quarantine: Quarantine | None = None
    small: SmallBlobs | None = None
    source: CopySource | None = None


class Verifier:
    """Verifies a blob store against the rows in the database."""

    def __init__(self, database: Database, stores: Stores, now: Clock) -> None:
        self._database = database
        self._blobs = stores.blobs
        self._listing = stores.listing
        self._quarantine = stores.quarantine
        self._small = stores.small
        self._source = stores.source
        self._now = now

    async def require_a_blob(self) -> None:
        """Check that the store has at least one blob, if there are any. Raises EverythingMissing, OSError, Unavailable.

        A store that lost everything is more often one that is not mounted, or whose bytes are elsewhere.
        """
        count, after = 0, 0
        while page := await self._database.read(partial(verification.blobs, after=after, limit=_ROWS)):
            for row in page:
                with suppress(BlobMissing):
                    await self._blobs.size(row.key)
                    return
            count, after = count + len(page), page[-1].id
        if count:
            raise EverythingMissing(
                f"none of the {count} layers is in the blob store, so no layer was marked as missing"
            )

    async def verify(self, reports: VerificationReports, rate: RateLimit, *, resume: bool) -> None:
        """Verify everything, or with `resume` continue an interrupted verification. Raises OSError, Unavailable.

        The result is kept, and replaces that of the last verification when this one is complete.
        """
        await self._database.write(partial(verification_results.begin, now=self._now(), resume=resume))
        after = await self._database.read(verification.position) if resume else 0
        await self._verify_blobs(after, reports, rate)
        await self._verify_manifests(reports)
        await self._verify_objects(reports)
        await self._database.write(partial(_complete, now=self._now()))

    async def _verify_blobs(self, after: int, reports: VerificationReports, rate: RateLimit) -> None:
        saved = time.monotonic()
        checks = BlobChecks(self._blobs, self._small, rate, reports.read)
        async with aclosing(checks.results(self._rows(after))) as results:
            async for row, damage in results:
                if damage is not None:
                    await self._handle(row, damage, reports)
                elif row.is_damaged:
                    await self._database.write(partial(verification.mark_intact, key=row.key))
                if time.monotonic() - saved > _SAVED_SECONDS:
                    await self._database.write(partial(verification.save_position, blob_id=row.id))
                    saved = time.monotonic()

    async def _rows(self, after: int) -> AsyncIterator[BlobRow]:
        """The blobs with ids after `after`."""
        while page := await self._database.read(partial(verification.blobs, after=after, limit=_ROWS)):
            for row in page:
                yield row
            after = page[-1].id

    async def _handle(self, row: BlobRow, damage: str, reports: VerificationReports) -> None:
        """Repair a blob, or mark it as damaged so that clients do not get it."""
        if await self._database.read(partial(verification.blob, key=row.key)) is None:
            return  # It was collected meanwhile.
        what = "missing blob" if damage == "missing" else "damaged blob"
        origin = await self._repair(row)
        if origin is None:
            await self._database.write(partial(verification.mark_damaged, key=row.key, now=self._now()))
            failpoints.hit("V2")
        place = await self._set_aside(row.key)
        detail = damage + (f"; moved to {place}" if place else "")
        await self._report(Finding(what, row.digest, detail, origin), reports)

    async def _report(self, finding: Finding, reports: VerificationReports) -> None:
        row = FindingRow(0, finding.what, finding.name, finding.detail, finding.repaired is not None)
        add = partial(verification_results.add, finding=row, is_unrepaired=finding.is_unrepaired)
        await self._database.write(add)
        reports.found(finding)

    async def _set_aside(self, key: str) -> str | None:
        if self._quarantine is None:
            return None
        with suppress(BlobMissing):
            return await self._quarantine.set_aside(key)
        return None

    async def _repair(self, row: BlobRow) -> str | None:
        """Copy a blob from the source; returns its key there, or None if there is no good copy."""
        if self._source is None or row.repository_id is None:
            return None
        for key in await self._source.copies_of(row.digest, row.key):
            upload = Upload(str(uuid.uuid4()), row.repository_id, OWNER, 0, 0, 0, False, self._now())
            await self._database.write(partial(uploads.insert_upload, upload=upload))
            if await self._copy(self._source.read(key, 0, row.size), upload.id, row):
                return key
            await self._database.write(partial(uploads.delete_upload, upload=upload.id))
            await self._blobs.abandon(upload.id)
        return None

    async def _copy(self, chunks: AsyncIterator[bytes], upload: str, row: BlobRow) -> bool:
        try:
            algorithm = row.digest.partition(":")[0]
            await self._blobs.append(upload, 0, chunks, algorithm)
            if await self._blobs.digest(upload, row.size, algorithm) != row.digest:
                return False
        except (OSError, BlobMissing, UploadMissing):
            return False
        key = await self._blobs.commit(upload, row.digest, row.size)
        failpoints.hit("V1")
        return await self._database.write(partial(_replace, upload=upload, old=row.key, new=key))

    async def _verify_manifests(self, reports: VerificationReports) -> None:
        after = 0
        while page := await self._database.read(partial(verification.manifests, after=after, limit=_MANIFESTS)):
            for row in page:
                detail = _manifest_damage(row)
                if detail is not None:
                    await self._report(Finding("damaged manifest", f"{row.repository}@{row.digest}", detail), reports)
            after = page[-1].id
            await asyncio.sleep(0)

    async def _verify_objects(self, reports: VerificationReports) -> None:
        """Move objects without a row to quarantine; treat those whose size differs from their row as damaged."""
        async for objects in self._listing.objects():
            keys = {stored.key: stored.upload for stored in objects}
            for key in await self._database.read(partial(verification.unknown_keys, keys=keys, now=self._now())):
                place = await self._set_aside(key)
                outcome = f"moved to {place}" if place else "the sweep will remove it"
                await self._report(Finding("unknown object", key, f"no row references it; {outcome}"), reports)
            sizes = {stored.key: stored.size for stored in objects}
            for row in await self._database.read(partial(verification.blobs_of_keys, keys=list(sizes))):
                if row.size != sizes[row.key]:
                    await self._handle(row, f"has {sizes[row.key]} bytes instead of {row.size}", reports)


def _complete(tx: Transaction, now: int) -> None:
    verification.forget_position(tx)
    verification_results.complete(tx, now)


def _replace(tx: Transaction, upload: str, old: str, new: str) -> bool:
    upload_states.forget(tx, upload)
    return uploads.delete_upload(tx, upload) is not None and verification.replace_key(tx, old, new)


def _manifest_damage(row: ManifestRow) -> str | None:
    if not row.body:
        return "missing"
    algorithm = row.digest.partition(":")[0]
    found = f"{algorithm}:{hashlib.new(algorithm, row.body).hexdigest()}"
    if found != row.digest or len(row.body) != row.size:
        return f"has {len(row.body)} bytes instead of {row.size}, with the digest {found}"
    return None
