"""The job that completes a cached manifest: it fetches the blobs and images that are missing; then the image exists.

Clients ask for most blobs themselves, and the job waits for those. It runs again after a failure, in any process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

from moorage.core.clock import Clock
from moorage.core.pull_through import attempts
from moorage.core.pull_through.attempts import Attempt
from moorage.core.pull_through.blobs import WantedBlob
from moorage.core.pull_through.cache import PullThroughCache
from moorage.core.pull_through.failures import NotUpstream, translated
from moorage.core.pull_through.manifests import RETRY_AFTER, WantedManifest, push_of
from moorage.core.pull_through.source import Source
from moorage.core.registry.images import Images, parsed
from moorage.core.registry.repositories import get, is_immutable
from moorage.domain.errors import Refusal, Unavailable
from moorage.domain.pull_through.rules import Rule
from moorage.domain.pull_through.upstream_errors import UpstreamInvalid, UpstreamRefusal
from moorage.domain.registry.errors import ImageAlreadyExists
from moorage.domain.registry.manifests import Manifest
from moorage.domain.units import SECOND
from moorage.metadata.database import Database, Transaction, Work
from moorage.metadata.jobs import Job, JobFailed, JobHopeless
from moorage.metadata.pull_through import cached
from moorage.metadata.pull_through.cached import CachedManifest, CachedTag
from moorage.metadata.registry import images, layers, pulls, repositories
from moorage.metadata.registry.repositories import Repository

ATTEMPTS: Final = 8
LONGEST_DELAY: Final = 600 * SECOND
COMPLETED_AT_ONCE: Final = 4

_AT_ONCE_IN_IMAGE: Final = 3
_DEPTH: Final = 4
"""Indexes within indexes that are followed. Clients push two levels at most."""

_SHARE: Final = "cached images"
"""The share of the jobs among the callers that fetch (`slots.py`)."""


class CompletionJobs:
    """Completes cached manifests."""

    def __init__(self, database: Database, images_: Images, pull_through: PullThroughCache, now: Clock) -> None:
        self._database = database
        self._sources = pull_through.sources
        self._completion = partial(_Completion, database, images_, pull_through, now)
        self._now = now

    async def run(self, job: Job) -> None:
        """Complete one manifest. Raises JobFailed, JobHopeless."""
        repository = await self._database.read(lambda tx: repositories.find_by_id(tx, job.payload["repository"]))
        if repository is None:
            return
        upstream = await self._sources.upstream(repository.registry, repository.name)
        if upstream is None:
            raise JobHopeless("no pull-through cache rule covers the repository any more")
        digest = job.payload["digest"]
        try:
            with translated():
                source = await self._sources.of(upstream, repository.name)
                await self._completion().complete(source, repository, digest, _DEPTH)
        except UpstreamRefusal as refusal:
            await self._database.write(partial(self._record, repository, upstream.rule, digest, refusal))
            raise JobFailed(str(refusal)) from None
        except NotUpstream:
            await self._database.write(partial(self._lost, repository, upstream.rule, digest))
        except Unavailable:
            raise
        except Refusal as refusal:  # A limit, or a manifest whose descriptors differ from what they name.
            raise JobHopeless(str(refusal)) from None

    def _record(
        self, repository: Repository, rule: Rule, digest: str, refusal: UpstreamRefusal, tx: Transaction
    ) -> None:
        for tag in _names(cached.tags_of(tx, repository.id, digest)):
            attempt = Attempt(repository.registry, repository.name, rule, tag, digest)
            attempts.record(tx, attempt, refusal, self._now())

    def _lost(self, repository: Repository, rule: Rule, digest: str, tx: Transaction) -> None:
        """Forget a manifest of which the upstream registry does not have a part: its tag may name another one now."""
        refusal = UpstreamInvalid(reason="The upstream registry does not have a part of the image")
        self._record(repository, rule, digest, refusal, tx)
        self._forget(tx, repository.id, digest)

    def give_up(self, tx: Transaction, job: Job, _reason: str) -> None:
        """Forget a manifest that cannot be completed."""
        self._forget(tx, job.payload["repository"], job.payload["digest"])

    def _forget(self, tx: Transaction, repository_id: int, digest: str) -> None:
        """The next pull begins anew."""
        for tag in cached.tags_of(tx, repository_id, digest):
            cached.set_check(tx, repository_id, CachedTag(tag.tag, self._now() + RETRY_AFTER))
        cached.delete(tx, repository_id, digest)


class _Completion:
    """Completes one manifest, with the images that it lists."""

    def __init__(self, database: Database, images_: Images, pull_through: PullThroughCache, now: Clock) -> None:
        self._database = database
        self._images = images_
        self._pull_through = pull_through
        self._now = now
        self._room = asyncio.Semaphore(_AT_ONCE_IN_IMAGE)

    async def complete(self, source: Source, repository: Repository, digest: str, depth: int) -> None:
        """Raises NotUpstream, UpstreamRefusal, and the refusals of a push."""
        kept = await self._database.read(lambda tx: cached.find(tx, repository.id, digest))
        if kept is None:
            return
        manifest = await parsed(kept.body, kept.media_type)
        if manifest.children and not depth:
            raise UpstreamInvalid(reason=f"The index {digest} is nested too deeply")
        await self._fetch_layers(source, repository, manifest)
        for child in dict.fromkeys(descriptor.digest for descriptor in manifest.children):
            if await self._database.read(lambda tx: images.find(tx, repository.id, child)) is None:  # noqa: B023 - runs now
                await self._pull_through.manifests.get(WantedManifest(source, child, _existing(source), _SHARE))
                await self.complete(source, repository, child, depth - 1)
        await self._database.write(partial(self._put, source, kept, manifest))

    async def _fetch_layers(self, source: Source, repository: Repository, manifest: Manifest) -> None:
        listed = {layer.digest: layer.size for layer in manifest.layers if not layer.is_foreign}
        found = await self._database.read(lambda tx: layers.find_layers(tx, repository.id, listed))
        missing = [WantedBlob(source, digest, size, _SHARE) for digest, size in listed.items() if digest not in found]
        await _all(self._fetch_layer(wanted) for wanted in missing)

    async def _fetch_layer(self, wanted: WantedBlob) -> None:
        async with self._room:
            await self._pull_through.blobs.join(wanted).finished()

    def _put(self, source: Source, kept: CachedManifest, manifest: Manifest, tx: Transaction) -> None:
        """Make the image, with the tags that it has by now. If another process did, there is nothing left to do."""
        repository = repositories.find_by_id(tx, kept.repository_id)
        current = cached.find(tx, kept.repository_id, kept.digest)
        if repository is None or current is None:
            return
        now = self._now()
        tags = [tag for tag in cached.tags_of(tx, repository.id, kept.digest) if _may_set(tx, repository, tag.tag)]
        with suppress(ImageAlreadyExists):
            self._images.put(tx, repository, push_of(kept.body, kept.digest, manifest, tags), now)
        for tag in tags:
            cached.set_check(tx, repository.id, tag)
        image = images.find(tx, repository.id, kept.digest)
        if image is not None and current.pulled_at is not None:
            pulls.record(tx, {image.id: now})
        for name in _names(tags):
            attempts.record(tx, Attempt.of(source, name, kept.digest), None, now)
        cached.delete(tx, repository.id, kept.digest)


async def _all(work: Iterable[Awaitable[None]]) -> None:
    """Wait for all; then raise the first failure."""
    results = await asyncio.gather(*work, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result


def _existing(source: Source) -> Work[Repository]:
    return lambda tx: get(tx, source.registry, source.name)


def _may_set(tx: Transaction, repository: Repository, tag: str) -> bool:
    """Whether a tag can be set: one that a client has pushed meanwhile stays, and so does any immutable one."""
    if cached.is_pushed(tx, repository.id, tag):
        return False
    return not is_immutable(repository.settings, tag) or images.find_tagged(tx, repository.id, tag) is None


def _names(tags: list[CachedTag]) -> Sequence[str | None]:
    """The tags, for one event each; without tags, one event without a tag."""
    return [tag.tag for tag in tags] or [None]
