"""Manifests from upstream registries: the first pull, and the comparison of a cached tag with its upstream registry.

A manifest is answered at once. It becomes an image when all of its blobs and images are here (`completion.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from moorage.core.clock import Clock
from moorage.core.limits import Limits
from moorage.core.pull_through import attempts
from moorage.core.pull_through.attempts import Attempt, CacheCounts
from moorage.core.pull_through.failures import NotUpstream, report, translated
from moorage.core.pull_through.leases import LOOK_AGAIN_SECONDS, LeaseLost, Leases, item_of
from moorage.core.pull_through.remembered import FAILED_SECONDS, MISSING_SECONDS, Remembered
from moorage.core.pull_through.slots import FetchSlots
from moorage.core.pull_through.source import Source
from moorage.core.registry.images import Images, Push, parsed
from moorage.core.registry.repositories import is_immutable
from moorage.core.tasks import end_all
from moorage.domain.errors import InvalidParameter, LimitExceeded, ManifestNotFound, Refusal
from moorage.domain.names import Digest, Tag
from moorage.domain.pull_through.upstream_errors import UpstreamInvalid, UpstreamRefusal
from moorage.domain.registry.errors import ImageAlreadyExists
from moorage.domain.registry.manifests import Manifest
from moorage.domain.remote_registries import RemoteManifest
from moorage.domain.units import SECOND
from moorage.metadata import jobs
from moorage.metadata.database import Database, Transaction, Work, mark_retrieved
from moorage.metadata.pull_through import cached, fetching
from moorage.metadata.pull_through.cached import CachedManifest, CachedTag
from moorage.metadata.pull_through.fetching import Fetching
from moorage.metadata.registry import images, pulls, repositories
from moorage.metadata.registry.images import StoredManifest
from moorage.metadata.registry.repositories import Repository
from moorage.telemetry import Log

JOB: Final = "complete-cached-image"
"""The kind of the jobs that fetch what a cached manifest needs."""

RETRY_AFTER: Final = 60 * SECOND
"""After a comparison that failed, the cached copy counts as valid for so long."""

_FETCH_SECONDS: Final = 60.0
_REQUEST_SECONDS: Final = 45.0
_COMPARE_SECONDS: Final = 15.0
_MOST_INCOMPLETE: Final = 2000
"""Manifests of a repository that are no images yet. Nothing is fetched beyond that."""


@dataclass(frozen=True, slots=True)
class WantedManifest:
    """A manifest of a repository by tag or digest. `repository` finds the repository, or creates it.

    `share` is the caller's (`slots.py`). `committed` is called after the commit that needed the repository.
    """

    source: Source
    reference: str
    repository: Work[Repository]
    share: str
    committed: Callable[[], None] = lambda: None

    @property
    def item(self) -> str:
        return item_of(self.source.registry, self.source.name, self.reference)

    @property
    def tag(self) -> str | None:
        return None if ":" in self.reference else self.reference


class ManifestFetches:
    """The fetches of one process. Callers that want the same manifest at the same time share one."""

    def __init__(
        self, database: Database, images_: Images, limits: Limits, counts: CacheCounts, log: Log, now: Clock
    ) -> None:
        self._database = database
        self._log = log
        self._images = images_
        self._limits = limits
        self._counts = counts
        self._now = now
        self._leases = Leases(database, now)
        self._slots = FetchSlots()
        self._remembered = Remembered()
        self._running: dict[str, asyncio.Task[StoredManifest]] = {}

    async def get(self, wanted: WantedManifest) -> StoredManifest:
        """A manifest that the repository does not have: from the upstream registry, or kept from an earlier pull.

        Raises NotUpstream, UpstreamRefusal, ManifestNotFound for an archived image, LimitExceeded, Unavailable, and
        what `wanted.repository` raises.
        """
        kept = await self._database.read(partial(_kept, wanted=wanted))
        if kept is not None:
            return kept
        refusal = self._remembered.find(wanted.item)
        if refusal is not None:
            raise refusal
        return await self._shared(wanted.item, lambda: self._first_pull(wanted))

    async def refreshed(self, wanted: WantedManifest, current: StoredManifest) -> StoredManifest:
        """The manifest of a cached tag that is due for a comparison: the new one, or `current` if there is none.

        If the upstream registry fails, the copy stays in use: an old image is better than none.
        """
        kept = await self._database.read(partial(_kept, wanted=wanted))
        if kept is not None:
            return kept
        try:
            return await self._shared(wanted.item, lambda: self._compare(wanted, current))
        except (NotUpstream, Refusal):
            return current

    async def stop(self) -> None:
        """End all fetches."""
        await end_all(self._running.values())

    async def _shared(self, item: str, fetch: Callable[[], Coroutine[Any, Any, StoredManifest]]) -> StoredManifest:
        """The result of the running fetch of an item, or of a new one. A caller that leaves does not end it."""
        task = self._running.get(item)
        if task is None:
            task = self._running[item] = asyncio.create_task(fetch())
            task.add_done_callback(lambda _: self._running.pop(item))
            task.add_done_callback(mark_retrieved)
        return await asyncio.shield(task)

    # --- The first pull -------------------------------------------------------------------------------------------

    async def _first_pull(self, wanted: WantedManifest) -> StoredManifest:
        try:
            with translated():
                async with asyncio.timeout(_FETCH_SECONDS):
                    return await self._fetch_or_wait(wanted)
        except NotUpstream as missing:
            self._remembered.put(wanted.item, missing, MISSING_SECONDS)
            raise
        except UpstreamRefusal as refusal:
            self._remembered.put(wanted.item, refusal, FAILED_SECONDS)
            await self._record_failure(wanted, refusal)
            raise

    async def _fetch_or_wait(self, wanted: WantedManifest) -> StoredManifest:
        while True:
            # A process that was stopped for a while loses its lease: another one has taken over.
            async with self._slots.taken(wanted.source.host, wanted.share):
                taken = await self._database.write(partial(self._find_or_take, wanted=wanted))
                if isinstance(taken, StoredManifest):
                    return taken
                with suppress(LeaseLost):
                    if taken is not None:
                        return await self._fetch_under(wanted, taken)
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
            found = await self._database.read(partial(_found, wanted=wanted))
            if found is not None:
                return found

    def _find_or_take(self, tx: Transaction, wanted: WantedManifest) -> StoredManifest | Fetching | None:
        """The manifest if another process has fetched it since this one looked, or the lease; None if it is taken."""
        return _found(tx, wanted) or self._leases.take(tx, Fetching(wanted.item, "", 0))

    async def _fetch_under(self, wanted: WantedManifest, taken: Fetching) -> StoredManifest:
        try:
            async with self._leases.kept(taken):
                return await self._fetch(wanted)
        finally:
            with suppress(Refusal):
                await self._database.write(lambda tx: fetching.end(tx, taken))

    async def _fetch(self, wanted: WantedManifest) -> StoredManifest:
        source = wanted.source
        with self._counts.counted(source.host, "manifest"):
            async with asyncio.timeout(_REQUEST_SECONDS):
                remote = await source.remote.manifest(source.repository, wanted.reference)
            manifest = await self._parsed(remote)
        kept = await self._database.write(partial(self._keep, wanted=wanted, remote=remote, manifest=manifest))
        wanted.committed()
        return kept

    async def _parsed(self, remote: RemoteManifest) -> Manifest:
        """Raises UpstreamInvalid, LimitExceeded."""
        try:
            manifest = await parsed(remote.body, remote.media_type)
            self._limits.quotas.check_layers(manifest.number_of_layers)
        except InvalidParameter as invalid:
            reason = getattr(invalid, "reason", str(invalid))
            raise UpstreamInvalid(reason=f"The manifest of the upstream registry is not accepted: {reason}") from None
        return manifest

    def _keep(
        self, tx: Transaction, wanted: WantedManifest, remote: RemoteManifest, manifest: Manifest
    ) -> StoredManifest:
        """Keep a manifest, and leave the job that completes it. If it is an image already, set its tag."""
        self._limits.require_space()
        repository, now = wanted.repository(tx), self._now()
        if wanted.tag is not None and cached.is_pushed(tx, repository.id, wanted.tag):
            theirs = _found(tx, wanted)  # A client was faster: the tag is its own.
            if theirs is not None:
                return theirs
            raise ManifestNotFound
        tag = CachedTag(wanted.tag, now + wanted.source.refresh) if wanted.tag else None
        image = images.find(tx, repository.id, remote.digest)
        if image is not None:
            if image.is_archived:
                raise ManifestNotFound
            if tag is not None:
                self._set_tag(tx, repository, push_of(remote.body, remote.digest, manifest, [tag]), tag)
                attempts.record(tx, Attempt.of(wanted.source, tag.tag, remote.digest), None, now)
            return StoredManifest(image.digest, image.media_type, remote.body, image.id, image.last_pulled_at)
        if cached.is_beyond(tx, repository.id, _MOST_INCOMPLETE):
            raise LimitExceeded(reason=f"More than {_MOST_INCOMPLETE} images are being fetched to {repository.name}")
        new = CachedManifest(repository.id, remote.digest, manifest.media_type, remote.body)
        cached.insert(tx, new, _needed_blobs(manifest), now)
        if tag is not None:
            cached.put_tag(tx, repository.id, tag, remote.digest)
            # Until the new image is complete, the tag stays due, so that everybody gets the new manifest.
            cached.set_check(tx, repository.id, CachedTag(tag.tag, 0))
        enqueue(tx, repository, remote.digest, now)
        return new.stored()

    def _set_tag(self, tx: Transaction, repository: Repository, push: Push, tag: CachedTag) -> None:
        """Let a tag name an image that is here."""
        with suppress(ImageAlreadyExists):
            self._images.put(tx, repository, push, self._now())
        cached.set_check(tx, repository.id, tag)

    # --- The comparison of a cached tag ---------------------------------------------------------------------------

    async def _compare(self, wanted: WantedManifest, current: StoredManifest) -> StoredManifest:
        if not await self._database.write(partial(self._claim, wanted=wanted)):
            return current
        source = wanted.source
        try:
            async with self._slots.taken(source.host, wanted.share, _COMPARE_SECONDS):
                with self._counts.counted(source.host, "tag"):
                    async with asyncio.timeout(_COMPARE_SECONDS):
                        digest = await source.remote.head(source.repository, wanted.reference)
                if digest != current.digest:
                    return await self._fetch(wanted)
        except UpstreamRefusal as refusal:
            await self._record_failure(wanted, refusal)
            raise
        await self._database.write(partial(self._still_valid, wanted=wanted, digest=current.digest))
        return current

    def _claim(self, tx: Transaction, wanted: WantedManifest) -> bool:
        """Claim the comparison for this process. An immutable tag is never moved, so it is not compared."""
        repository, now = _repository(tx, wanted), self._now()
        if repository is None:
            return False
        if is_immutable(repository.settings, wanted.reference):
            cached.set_check(tx, repository.id, CachedTag(wanted.reference, now + wanted.source.refresh))
            return False
        return cached.claim_check(tx, repository.id, CachedTag(wanted.reference, now + RETRY_AFTER), now)

    def _still_valid(self, tx: Transaction, wanted: WantedManifest, digest: str) -> None:
        repository, now = _repository(tx, wanted), self._now()
        if repository is None:
            return
        cached.set_check(tx, repository.id, CachedTag(wanted.reference, now + wanted.source.refresh))
        attempts.record(tx, Attempt.of(wanted.source, wanted.tag, digest), None, now)

    async def _record_failure(self, wanted: WantedManifest, refusal: UpstreamRefusal) -> None:
        """Log why an attempt failed, and record its event."""
        report(self._log, wanted.source.host, refusal)
        attempt = Attempt.of(wanted.source, wanted.tag, None if wanted.tag else wanted.reference)
        with suppress(Refusal):
            await self._database.write(lambda tx: attempts.record(tx, attempt, refusal, self._now()))


def enqueue(tx: Transaction, repository: Repository, digest: str, now: int) -> None:
    """Leave the job that completes a cached manifest."""
    payload = {"repository": repository.id, "digest": digest}
    jobs.enqueue(tx, JOB, f"{repository.id} {digest}", payload, now)


def push_of(body: bytes, digest: str, manifest: Manifest, tags: list[CachedTag]) -> Push:
    """A cached manifest, as a push of an image with these tags."""
    names = tuple(Tag.parse(tag.tag) for tag in tags)
    return Push(body=body, manifest=manifest, tags=names, digest=Digest.parse(digest), sparse=False)


def _needed_blobs(manifest: Manifest) -> list[tuple[str, int]]:
    return [(layer.digest, layer.size) for layer in manifest.layers if not layer.is_foreign]


def _repository(tx: Transaction, wanted: WantedManifest) -> Repository | None:
    return repositories.find(tx, wanted.source.registry, wanted.source.name)


def _kept(tx: Transaction, wanted: WantedManifest) -> StoredManifest | None:
    """The manifest if it is not an image yet."""
    repository = _repository(tx, wanted)
    found = cached.find(tx, repository.id, wanted.reference) if repository else None
    return found.stored() if found else None


def _found(tx: Transaction, wanted: WantedManifest) -> StoredManifest | None:
    """The manifest, whether it is an image or not."""
    registry = wanted.source.registry
    kept = _kept(tx, wanted)
    if kept is not None:
        return kept
    return pulls.find_manifest(tx, registry.account, registry.region, wanted.source.name, wanted.reference)
