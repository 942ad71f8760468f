"""The pull-through cache: pulls of images and layers that are not here yet, and of tags that are due for a comparison.

Other repositories pay one cached lookup after a miss, and nothing after a hit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from moorage.core.clock import Clock
from moorage.core.events.audit import Audit, AuditedRequest
from moorage.core.identity.authorization import AccessRequest, Authorizer
from moorage.core.limits import Limits
from moorage.core.pull_through.attempts import CacheCounts
from moorage.core.pull_through.blobs import BlobFetches, WantedBlob
from moorage.core.pull_through.failures import NotUpstream, report, translated
from moorage.core.pull_through.growing import GrowingBlob
from moorage.core.pull_through.manifests import ManifestFetches, WantedManifest
from moorage.core.pull_through.referrers import UpstreamReferrers, WantedReferrers
from moorage.core.pull_through.source import Source, Sources
from moorage.core.pull_through.upstreams import Upstreams
from moorage.core.reactions import ApiCalled, Reactions, react
from moorage.core.registry import repositories, templates
from moorage.core.registry.images import Images
from moorage.core.registry.pulls import Pulls
from moorage.core.registry.referrers import ReferrersPage
from moorage.core.registry.templates import PULL_THROUGH_CACHE, Creation, create_without_push
from moorage.domain.errors import AccessDenied, ContentRefusal, Refusal
from moorage.domain.identity.callers import Caller
from moorage.domain.names import Digest, Registry, RepositoryName, Tag
from moorage.domain.ports import BlobStore
from moorage.domain.pull_through.upstream_errors import UpstreamRefusal
from moorage.domain.registry.errors import RepositoryNotFound
from moorage.domain.remote_registries import RemoteRegistries
from moorage.metadata.database import Database, Transaction, mark_retrieved
from moorage.metadata.pull_through import cached
from moorage.metadata.registry import pulls
from moorage.metadata.registry import repositories as rows
from moorage.metadata.registry.images import StoredManifest
from moorage.metadata.registry.repositories import Repository
from moorage.metadata.registry.templates import Template
from moorage.telemetry import Log

_IMPORT: Final = "ecr:BatchImportUpstreamImage"
_CREATION: Final = "CreateRepository"
_ARRIVAL_SECONDS: Final = 300.0
"""How long a push waits for layers that are on their way. Its body takes a part of its caller's share meanwhile."""


@dataclass(frozen=True, slots=True)
class Puller:
    """Who pulls from which repository. `access` makes the caller's access request for an action on the repository.

    `share` is the share of the server that the request takes (`http/shares`). `request` is for the audit log; None if
    the server itself pulls.
    """

    registry: Registry
    name: str
    caller: Caller
    access: Callable[[str], AccessRequest]
    share: str
    request: AuditedRequest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheParts:
    """The parts of the core that the cache uses."""

    database: Database
    blobs: BlobStore
    images: Images
    authorizer: Authorizer
    pulls: Pulls
    upstreams: Upstreams
    remotes: RemoteRegistries
    limits: Limits
    reactions: Reactions
    audit: Audit
    now: Clock
    log: Log


class PullThroughCache:
    """The cache in one process. The jobs of the process (`completion.py`) use the same fetches."""

    def __init__(self, parts: CacheParts) -> None:
        database, limits, now = parts.database, parts.limits, parts.now
        self._parts = parts
        self._database = database
        self._authorizer = parts.authorizer
        self._now = now
        self.sources = Sources(parts.upstreams, parts.remotes)
        self.counts = CacheCounts()
        self.blobs = BlobFetches(database, parts.blobs, limits, self.counts, parts.log, now)
        self.manifests = ManifestFetches(database, parts.images, limits, self.counts, parts.log, now)
        self._referrers = UpstreamReferrers(database, self.counts)

    async def stop(self) -> None:
        """End all fetches of this process; others can continue them at once."""
        await self.manifests.stop()
        await self.blobs.stop()

    # --- Manifests ------------------------------------------------------------------------------------------------

    async def manifest(self, puller: Puller, reference: str) -> StoredManifest | None:
        """A manifest that the repository does not have, from its upstream registry.

        None if there is nothing to ask or nothing there, or the caller may not import images, or create the repository:
        all these look the same. Raises UpstreamRefusal, LimitExceeded, Kms, Unavailable.
        """
        source = await self._source(puller, reference)
        if source is None:
            return None
        wanted = await self._wanted(puller, source, reference)
        if wanted is None:
            return None
        try:
            return await self.manifests.get(wanted)
        except (NotUpstream, RepositoryNotFound):
            return None

    async def pull(self, puller: Puller, reference: str) -> StoredManifest | None:
        """A manifest by tag or digest, whether the repository has it or not. Raises what `manifest` raises."""
        registry, name = puller.registry, puller.name
        found = await self._database.read(
            lambda tx: pulls.find_manifest(tx, registry.account, registry.region, name, reference)
        )
        if found is None:
            return await self.manifest(puller, reference)
        return await self.current(puller, reference, found)

    async def covers(self, registry: Registry, name: str) -> bool:
        """Whether a rule covers a repository with this name."""
        return await self.sources.upstream(registry, name) is not None

    async def current(self, puller: Puller, tag: str, found: StoredManifest) -> StoredManifest:
        """What the repository has, or what the upstream registry has now if a cached tag is due for a comparison."""
        if found.check_at is None:
            return found
        if found.check_at <= self._now():
            return await self._refreshed(puller, tag, found)
        self.counts.hit()
        return found

    async def _refreshed(self, puller: Puller, tag: str, current: StoredManifest) -> StoredManifest:
        """The manifest of a cached tag that is due for a comparison with the upstream registry."""
        try:
            source = await self._source(puller, tag)
        except Refusal:
            return current
        if source is None:
            return current
        existing = partial(repositories.get, registry=puller.registry, name=puller.name)
        wanted = WantedManifest(source, tag, existing, puller.share)
        return await self.manifests.refreshed(wanted, current)

    async def record_pull(self, puller: Puller, manifest: StoredManifest) -> None:
        """Record the pull of a manifest that is not an image yet, unless pulls of the caller are not recorded."""
        if await self._parts.pulls.is_excluded(puller.caller, puller.registry):
            return
        now = self._now()

        def record(tx: Transaction) -> None:
            repository = rows.find(tx, puller.registry, puller.name)
            if repository is not None:
                cached.set_pulled(tx, repository.id, manifest.digest, now)

        self._database.write_later(record).add_done_callback(mark_retrieved)

    # --- Blobs ----------------------------------------------------------------------------------------------------

    async def blob(self, puller: Puller, digest: str) -> GrowingBlob | None:
        """A blob that the repository does not have, on its way from the upstream registry; None as for `manifest`.

        Raises UpstreamRefusal, Unavailable.
        """
        source = await self._source(puller, digest)
        if source is None:
            return None
        size = await self.size_of_blob(puller, digest)
        growing = self.blobs.join(WantedBlob(source, digest, size, puller.share))
        try:
            await growing.started()
        except NotUpstream:
            return None
        return growing

    async def needed_blob(self, puller: Puller, digest: str) -> GrowingBlob | None:
        """A blob that arrives because a manifest that was pulled needs it; None also if the upstream registry fails.

        A client that pushes leaves such a blob out, so its push waits for it (`arrived`).
        """
        if await self.size_of_blob(puller, digest) is None:
            return None
        try:
            return await self.blob(puller, digest)
        except UpstreamRefusal:
            return None

    async def arrived(self, puller: Puller, digests: Iterable[str]) -> bool:
        """Wait for those of these blobs that are on their way.

        False if there are none, or one cannot be fetched or takes longer than `_ARRIVAL_SECONDS`.
        """
        sizes = {digest: await self.size_of_blob(puller, digest) for digest in digests}
        try:
            with translated():
                source = await self.sources.find(puller.registry, puller.name)
                if source is None:
                    return False
                async with asyncio.timeout(_ARRIVAL_SECONDS):
                    for digest, size in sizes.items():
                        if size is not None:
                            await self.blobs.join(WantedBlob(source, digest, size, puller.share)).finished()
        except (NotUpstream, UpstreamRefusal, TimeoutError):
            return False
        return any(size is not None for size in sizes.values())

    async def size_of_blob(self, puller: Puller, digest: str) -> int | None:
        """The size of a blob that is on its way, or will be: a manifest that was pulled needs it."""
        if not await self.covers(puller.registry, puller.name):
            return None

        def find(tx: Transaction) -> int | None:
            repository = rows.find(tx, puller.registry, puller.name)
            return cached.size_of_blob(tx, repository.id, digest) if repository else None

        return await self._database.read(find)

    # --- Referrers ------------------------------------------------------------------------------------------------

    async def with_upstream_referrers(
        self, puller: Puller, page: ReferrersPage, wanted: WantedReferrers
    ) -> ReferrersPage:
        """The page with the referrers that only the upstream registry has, if no local ones follow.

        Raises UpstreamRefusal.
        """
        source = None if page.more else await self._source(puller, wanted.subject)
        if source is None:
            return page
        with self._reported(source.host):
            return await self._referrers.added(page, source, wanted)

    # --- Permissions ----------------------------------------------------------------------------------------------

    async def _source(self, puller: Puller, reference: str) -> Source | None:
        """The source of the repository; None without a rule, for an invalid name, or a caller who may not import.

        Raises UpstreamAccessDenied if the credentials for the upstream registry cannot be read.
        """
        upstream = await self.sources.upstream(puller.registry, puller.name)
        if upstream is None or not _is_valid(puller.name, reference):
            return None
        try:
            await self._authorizer.check(puller.access(_IMPORT))
        except AccessDenied:
            return None
        with self._reported(upstream.rule.url), translated():
            return await self.sources.of(upstream, puller.name)

    @contextmanager
    def _reported(self, host: str) -> Iterator[None]:
        """Log an UpstreamRefusal that the block raises."""
        try:
            yield
        except UpstreamRefusal as refusal:
            report(self._parts.log, host, refusal)
            raise

    async def _wanted(self, puller: Puller, source: Source, reference: str) -> WantedManifest | None:
        """The manifest with its repository; None if that is missing, and the caller may not create it.

        This is decided before the fetch, because callers with other permissions may join it.
        """
        registry, name = puller.registry, RepositoryName.parse(puller.name)

        def find(tx: Transaction) -> tuple[Repository | None, Template | None]:
            return rows.find(tx, registry, name), templates.matching(tx, registry, name, PULL_THROUGH_CACHE)

        found, template = await self._database.read(find)
        if found is not None:
            existing = partial(repositories.get, registry=registry, name=name)
            return WantedManifest(source, reference, existing, puller.share)
        try:
            await self._authorizer.check_creation(puller.access, template.resource_tags if template else {})
        except AccessDenied:
            return None
        new = RepositoryOfPull(self._parts, puller)
        return WantedManifest(source, reference, new.find_or_create, puller.share, new.committed)


class RepositoryOfPull:
    """The repository that a pull creates, unless another one was faster. It is recorded as CreateRepository is."""

    def __init__(self, parts: CacheParts, puller: Puller) -> None:
        self._parts = parts
        self._puller = puller
        self._was_created = False
        parameters = {"registryId": puller.registry.account, "repositoryName": puller.name}
        self._call = _Call(_CREATION, puller.caller, parameters)

    def find_or_create(self, tx: Transaction) -> Repository:
        """Raises LimitExceeded, Kms."""
        registry, name = self._puller.registry, self._puller.name
        self._was_created = False
        found = rows.find(tx, registry, name)
        if found is not None:
            return found
        creation = Creation(self._parts.limits, self._parts.reactions, self._parts.now())
        created = create_without_push(tx, registry, RepositoryName.parse(name), PULL_THROUGH_CACHE, creation)
        if self._puller.request is not None:
            describe = partial(self._parts.audit.describe, self._puller.request, self._call)
            change = ApiCalled(self._call.operation, registry, describe, creation.now)
            react(tx, self._parts.reactions.api_called, change)
        self._was_created = True
        return created

    def committed(self) -> None:
        """Record a creation in the audit log, after the commit."""
        if self._was_created and self._puller.request is not None:
            self._parts.audit.record(self._puller.request, self._call, None, docker=True)


@dataclass(slots=True)
class _Call:
    """The call of CreateRepository that a pull also counts as."""

    operation: str
    caller: Caller | None
    parameters: dict[str, Any] | None
    is_from_console: bool = False


def _is_valid(name: str, reference: str) -> bool:
    """Whether name and reference can exist: nothing else is sent to another registry."""
    with suppress(ContentRefusal):
        RepositoryName.parse(name)
        Digest.parse(reference) if ":" in reference else Tag.parse(reference)
        return True
    return False
