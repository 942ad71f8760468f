"""Fetches of blobs: from the upstream registry to the blob store and to everybody who waits, at once.

In a process, all who want a blob follow one `GrowingBlob`. Of several processes, the one with the lease fetches; the
others read the file that grows in the blob store, or wait. Clients that leave do not end a fetch.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

from moorage.core.clock import Clock
from moorage.core.limits import Limits
from moorage.core.pull_through.attempts import CacheCounts
from moorage.core.pull_through.failures import NotUpstream, report, translated
from moorage.core.pull_through.growing import GrowingBlob
from moorage.core.pull_through.leases import LOOK_AGAIN_SECONDS, LeaseLost, Leases, item_of
from moorage.core.pull_through.slots import FetchSlots
from moorage.core.pull_through.source import Source
from moorage.core.registry.open_uploads import LAYER_LIMIT
from moorage.core.tasks import end_all
from moorage.domain.errors import Unavailable
from moorage.domain.failures import as_unavailable
from moorage.domain.ports import CHUNK_BYTES, BlobStore
from moorage.domain.pull_through.upstream_errors import UpstreamInvalid, UpstreamRefusal, UpstreamUnavailable
from moorage.metadata.database import Database, Transaction
from moorage.metadata.pull_through import fetching
from moorage.metadata.pull_through.fetching import Fetching
from moorage.metadata.registry import layers, upload_states, uploads
from moorage.metadata.registry.layers import Blob
from moorage.metadata.registry.uploads import Upload
from moorage.telemetry import Log

_OWNER: Final = "pull-through"
"""The owner of the uploads of fetches: no user has such an id."""

_TRIES: Final = 3
"""How often a process tries to fetch a blob whose fetch by others ended before it was complete."""


@dataclass(frozen=True, slots=True)
class WantedBlob:
    """A blob of a repository. `share` is the caller's (`http/shares`); `size` is None if no manifest names it."""

    source: Source
    digest: str
    size: int | None
    share: str

    @property
    def item(self) -> str:
        return item_of(self.source.registry, self.source.name, self.digest)


class BlobFetches:
    """The fetches of one process."""

    def __init__(
        self, database: Database, blobs: BlobStore, limits: Limits, counts: CacheCounts, log: Log, now: Clock
    ) -> None:
        self._database = database
        self._log = log
        self._blobs = blobs
        self._counts = counts
        self._now = now
        self._require_space = limits.require_space
        self._leases = Leases(database, now)
        self._slots = FetchSlots()
        self._running: dict[str, tuple[GrowingBlob, asyncio.Task[None]]] = {}

    def join(self, wanted: WantedBlob) -> GrowingBlob:
        """The blob, which is fetched unless it is being fetched already. Its readers get the failure of the fetch."""
        running = self._running.get(wanted.item)
        if running is None:
            growing = GrowingBlob(self._blobs, wanted.size)
            task = asyncio.create_task(self._run(wanted, growing))
            running = self._running[wanted.item] = growing, task
            task.add_done_callback(lambda _: self._running.pop(wanted.item))
        return running[0]

    async def stop(self) -> None:
        """End all fetches. What they have stored is removed, and other processes can fetch the same at once."""
        await end_all(task for _, task in self._running.values())

    async def _run(self, wanted: WantedBlob, growing: GrowingBlob) -> None:
        try:
            with translated():
                await self._fetch_or_follow(wanted, growing)
        except asyncio.CancelledError:
            growing.fail(Unavailable(reason="The server is stopping"))
            raise
        except UpstreamRefusal as refusal:
            report(self._log, wanted.source.host, refusal)
            growing.fail(refusal)
        except Exception as error:  # noqa: BLE001 - the readers get it
            growing.fail(as_unavailable(error) or error)

    async def _fetch_or_follow(self, wanted: WantedBlob, growing: GrowingBlob) -> None:
        for _ in range(_TRIES):
            other = await self._database.read(partial(self._state, wanted=wanted))
            if isinstance(other, Fetching) and not self._leases.is_over(other):
                other = await self._follow(wanted, growing, other)
            elif other is None or isinstance(other, Fetching):
                other = await self._fetch(wanted, growing)
            if isinstance(other, Blob):
                growing.complete(other)
                return
            if growing.received:
                break
        raise UpstreamUnavailable(reason="The layer could not be fetched from the upstream registry. Try again")

    def _state(self, tx: Transaction, wanted: WantedBlob) -> Blob | Fetching | None:
        """The blob if the repository has it, or its fetch by another process."""
        registry = wanted.source.registry
        found = layers.find_layer_by_name(tx, registry.account, registry.region, wanted.source.name, wanted.digest)
        return found or fetching.find(tx, wanted.item)

    # --- The process with the lease -------------------------------------------------------------------------------

    async def _fetch(self, wanted: WantedBlob, growing: GrowingBlob) -> Blob | None:
        """Fetch the blob; None if another process has the lease. Raises NotUpstream, RemoteFailure, UpstreamRefusal."""
        self._require_space()
        source = wanted.source
        async with self._slots.taken(source.host, wanted.share):
            taken, left = await self._database.write(partial(self._take, wanted=wanted, upload=str(uuid.uuid4())))
            if left is not None:
                await self._abandon(left)
            if taken is None or taken.upload is None:
                return None
            growing.upload = taken.upload
            try:
                async with self._leases.kept(taken):
                    return await self._store(wanted, growing, taken)
            except LeaseLost:
                return None
            except BaseException:
                await asyncio.shield(asyncio.create_task(self._give_up(taken)))
                raise

    def _take(self, tx: Transaction, wanted: WantedBlob, upload: str) -> tuple[Fetching | None, str | None]:
        """The lease with a new upload, and the upload of a process that died. None if another has lease or blob."""
        source = wanted.source
        other = self._state(tx, wanted)
        if isinstance(other, Blob):  # Another process has fetched it since this one looked.
            return None, None
        left = None
        if other is not None and self._leases.is_over(other) and other.upload is not None:
            left = other.upload
            uploads.delete_upload(tx, left)
        elif other is not None and not self._leases.is_over(other):
            return None, None
        algorithm = wanted.digest.partition(":")[0]
        new = Upload(upload, 0, f"{_OWNER}:{upload}", 0, 0, 0, False, self._now(), algorithm=algorithm)
        if uploads.start_upload(tx, source.registry, source.name, new) is None:
            raise NotUpstream  # The repository is not there, or not any more.
        return self._leases.take(tx, Fetching(wanted.item, "", 0, upload, wanted.size)), left

    async def _store(self, wanted: WantedBlob, growing: GrowingBlob, taken: Fetching) -> Blob | None:
        upload, digest = taken.upload or "", wanted.digest
        with self._counts.counted(wanted.source.host, "layer"):
            size = await self._receive(wanted, growing, upload)
        key = await self._blobs.commit(upload, digest, size)
        blob, is_ours = await self._database.write(
            partial(self._record, taken=taken, digest=digest, size=size, key=key)
        )
        if not is_ours:  # Somebody else stored the same bytes first, or the lease was lost: no row has this key.
            with suppress(OSError, Unavailable):
                await self._blobs.delete(key)
        return blob

    async def _receive(self, wanted: WantedBlob, growing: GrowingBlob, upload: str) -> int:
        """Store the bytes while they arrive; returns how many they are. Raises RemoteFailure, UpstreamInvalid."""
        digest = wanted.digest
        algorithm = digest.partition(":")[0]
        # The store computes the digest, so that it is computed once.
        async with wanted.source.remote.blob(wanted.source.repository, digest, wanted.size, verified=False) as remote:
            growing.begin(remote.size)
            if (remote.size or 0) > LAYER_LIMIT:
                raise UpstreamInvalid(reason=f"The layer has {remote.size} bytes, more than {LAYER_LIMIT}")
            size = await self._blobs.append(upload, 0, _teed(remote.chunks, growing), algorithm)
        if await self._blobs.digest(upload, size, algorithm) != digest:
            raise UpstreamInvalid(reason=f"The layer does not have the digest {digest}")
        return size

    def _record(self, tx: Transaction, taken: Fetching, digest: str, size: int, key: str) -> tuple[Blob | None, bool]:
        """Make the blob visible in its repository; returns it, and whether it has the bytes under `key`."""
        repository_id = uploads.repository_of_upload(tx, taken.upload or "")
        if repository_id is None or not fetching.end(tx, taken):
            return None, False
        now = self._now()
        blob_id, is_ours = layers.store_blob(tx, digest, size, key, now)
        if uploads.delete_upload(tx, taken.upload or ""):
            upload_states.forget(tx, taken.upload or "")
        layers.link_blob(tx, repository_id, blob_id, now)
        return layers.find_layer(tx, repository_id, digest), is_ours

    async def _give_up(self, taken: Fetching) -> None:
        """After a failure, delete the upload, so that others can try at once. If that fails, the lease expires."""
        with suppress(OSError, Unavailable):
            await self._database.write(lambda tx: uploads.delete_upload(tx, taken.upload or ""))
            await self._abandon(taken.upload or "")

    async def _abandon(self, upload: str) -> None:
        """Delete the bytes of an upload that has ended. If the store fails, the collector deletes them."""
        with suppress(OSError, Unavailable):
            await self._blobs.abandon(upload)

    # --- Other processes ------------------------------------------------------------------------------------------

    async def _follow(self, wanted: WantedBlob, growing: GrowingBlob, other: Fetching) -> Blob | None:
        """Follow the fetch of another process; returns the blob, or None if that fetch ended without one.

        The last byte of its file is left out: with it, the bytes would be complete before they are known to be right.
        """
        growing.upload = other.upload
        last = (other.size or 1) - 1
        while True:
            while other.upload is not None and growing.received < last:
                limit = min(CHUNK_BYTES, last - growing.received)
                chunk = await self._blobs.received(other.upload, growing.received, limit)
                if not chunk:
                    break
                growing.add(chunk)
            found = await self._database.read(partial(self._state, wanted=wanted))
            if found is None or isinstance(found, Blob):
                return found
            if found.lease != other.lease or self._leases.is_over(found):
                return None
            await asyncio.sleep(LOOK_AGAIN_SECONDS)


async def _teed(chunks: AsyncIterator[bytes], growing: GrowingBlob) -> AsyncIterator[bytes]:
    """The chunks, which the readers of a growing blob get at the same time."""
    async for chunk in chunks:
        if growing.received + len(chunk) > LAYER_LIMIT:
            raise UpstreamInvalid(reason=f"The layer has more than {LAYER_LIMIT} bytes")
        growing.add(chunk)
        yield chunk
