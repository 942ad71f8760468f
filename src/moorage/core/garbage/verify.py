"""Everything is read back and compared with its row: what is missing, damaged or unknown is found, and repaired.

Nothing is ever deleted here. What is damaged is first let go by its row, so that nobody is served it, and then moved
aside; whoever pushes it again heals it. What a source has is copied from there, through the store's own uploads, so
that a copy that is interrupted is an abandoned upload like any other.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

from moorage import failpoints
from moorage.core.clock import Clock
from moorage.core.pacing import Rate
from moorage.domain.ports import BlobMissing, BlobStore, CopySource, Listing, Quarantine, UploadMissing
from moorage.metadata.database import Database, Transaction
from moorage.metadata.garbage import verification
from moorage.metadata.garbage.verification import BlobRow, ManifestRow
from moorage.metadata.registry import layers, upload_states
from moorage.metadata.registry.layers import Upload

_ROWS: Final = 100
_SAVED_SECONDS: Final = 2.0
"""How often it is noted how far the verification is."""

OWNER: Final = "verify"
"""Owner of the uploads that bring repaired blobs: no user has that id."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as its row says. `repaired` tells from where, if it could be."""

    what: str
    name: str
    detail: str
    repaired: str | None = None

    @property
    def is_harm(self) -> bool:
        """Whether something that should be served cannot be."""
        return self.repaired is None and not self.what.startswith("unknown")


@dataclass(frozen=True, slots=True)
class Reports:
    """Who is told: of each finding, and of bytes that were read."""

    found: Callable[[Finding], None]
    read: Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Stores:
    """The store that is verified, as far as it can be listed and can move bytes aside, and another to repair from."""

    blobs: BlobStore
    listing: Listing
    quarantine: Quarantine | None = None
    source: CopySource | None = None


class Verifier:
    """Verifies a store against the rows of `database`."""

    def __init__(self, database: Database, stores: Stores, now: Clock) -> None:
        self._database = database
        self._blobs = stores.blobs
        self._listing = stores.listing
        self._quarantine = stores.quarantine
        self._source = stores.source
        self._now = now

    async def verify(self, reports: Reports, rate: Rate, *, resume: bool) -> None:
        """Everything, or with `resume` from where the last verification ended. Raises OSError, Unavailable."""
        after = await self._database.read(verification.position) if resume else 0
        await self._blobs_behind(after, reports, rate)
        await self._manifests(reports)
        await self._unknown(reports)
        await self._database.write(verification.forget_position)

    async def _blobs_behind(self, after: int, reports: Reports, rate: Rate) -> None:
        saved = time.monotonic()
        while page := await self._database.read(partial(verification.blobs, after=after, limit=_ROWS)):
            for row in page:
                wrong = await self._wrong(row, reports, rate)
                if wrong is not None:
                    await self._handle(row, wrong, reports)
                elif row.is_damaged:
                    await self._database.write(partial(verification.mark_intact, key=row.key))
                after = row.id
                if time.monotonic() - saved > _SAVED_SECONDS:
                    await self._database.write(partial(verification.save_position, blob_id=after))
                    saved = time.monotonic()

    async def _wrong(self, row: BlobRow, reports: Reports, rate: Rate) -> str | None:
        """What is wrong with a blob's bytes; None when they are right."""
        hasher = hashlib.new(row.digest.partition(":")[0])
        try:
            async for chunk in self._blobs.read(row.key, 0, row.size):
                await asyncio.to_thread(hasher.update, chunk)
                reports.read(len(chunk))
                await rate.passed(len(chunk))
        except BlobMissing:
            return "missing"
        except OSError as error:
            return f"cannot be read: {error.strerror}"
        found = hasher.hexdigest()
        return None if row.digest.endswith(f":{found}") else f"has other bytes, of the digest {found}"

    async def _handle(self, row: BlobRow, wrong: str, reports: Reports) -> None:
        """Repair a blob, or let nobody be served it."""
        if await self._database.read(partial(verification.blob, key=row.key)) is None:
            return  # It was collected since.
        what = "missing blob" if wrong == "missing" else "damaged blob"
        origin = await self._repair(row)
        if origin is None:
            await self._database.write(partial(verification.mark_damaged, key=row.key, now=self._now()))
            failpoints.hit("V2")
        place = await self._set_aside(row.key)
        reports.found(Finding(what, row.digest, wrong + (f"; moved to {place}" if place else ""), origin))

    async def _set_aside(self, key: str) -> str | None:
        if self._quarantine is None:
            return None
        with suppress(BlobMissing):
            return await self._quarantine.set_aside(key)
        return None

    async def _repair(self, row: BlobRow) -> str | None:
        """Copy a blob from the source; returns the key it had there, or None when there is no good copy."""
        if self._source is None or row.repository_id is None:
            return None
        for key in await self._source.copies_of(row.digest, row.key):
            upload = Upload(str(uuid.uuid4()), row.repository_id, OWNER, 0, 0, 0, False, self._now())
            await self._database.write(partial(layers.insert_upload, upload=upload))
            if await self._copied(self._source.read(key, 0, row.size), upload.id, row):
                return key
            await self._database.write(partial(layers.delete_upload, upload=upload.id))
            await self._blobs.abandon(upload.id)
        return None

    async def _copied(self, chunks: AsyncIterator[bytes], upload: str, row: BlobRow) -> bool:
        try:
            await self._blobs.append(upload, 0, chunks)
            if await self._blobs.digest(upload, row.size, row.digest.partition(":")[0]) != row.digest:
                return False
        except (OSError, BlobMissing, UploadMissing):
            return False
        key = await self._blobs.commit(upload, row.digest, row.size)
        failpoints.hit("V1")
        return await self._database.write(partial(_replace, upload=upload, old=row.key, new=key))

    async def _manifests(self, reports: Reports) -> None:
        after = 0
        while page := await self._database.read(partial(verification.manifests, after=after, limit=_ROWS)):
            for row in page:
                detail = _wrong_manifest(row)
                if detail is not None:
                    reports.found(Finding("damaged manifest", f"{row.repository}@{row.digest}", detail))
            after = page[-1].id
            await asyncio.sleep(0)

    async def _unknown(self, reports: Reports) -> None:
        """What the store has and no row names is moved aside; what has another size than its row says is damaged."""
        async for objects in self._listing.objects():
            keys = {one.key: one.upload for one in objects}
            for key in await self._database.read(partial(verification.unknown_keys, keys=keys)):
                place = await self._set_aside(key)
                fate = f"moved to {place}" if place else "left to the sweep"
                reports.found(Finding("unknown object", key, f"no row names it; {fate}"))
            sizes = {one.key: one.size for one in objects}
            for row in await self._database.read(partial(verification.blobs_of_keys, keys=list(sizes))):
                if row.size != sizes[row.key]:
                    await self._handle(row, f"has {sizes[row.key]} bytes, not {row.size}", reports)


def _replace(tx: Transaction, upload: str, old: str, new: str) -> bool:
    upload_states.forget(tx, upload)
    return layers.delete_upload(tx, upload) is not None and verification.replace_key(tx, old, new)


def _wrong_manifest(row: ManifestRow) -> str | None:
    if not row.body:
        return "missing"
    algorithm = row.digest.partition(":")[0]
    found = f"{algorithm}:{hashlib.new(algorithm, row.body).hexdigest()}"
    if found != row.digest or len(row.body) != row.size:
        return f"has {len(row.body)} bytes, not {row.size}, of the digest {found}"
    return None
