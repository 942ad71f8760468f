"""Pulls: find the manifest to pull, and record when images were last pulled, without slowing pulls down.

If the time in the database is recent enough, a pull records nothing. Otherwise its time is kept in memory for two
seconds, and then written together with the times of other images. No request waits for this write. A crash may lose the
most recent times; the next pull records them again. ECR does not promise more: the time "is refreshed at least once
every 24 hours" (API reference, ImageDetail).
"""

from __future__ import annotations

import asyncio
from typing import Final

from moorage.core.clock import Clock
from moorage.core.identity.callers import READER_ID
from moorage.core.limits import Limits
from moorage.core.reactions import ImagesPulled, Reactions, react
from moorage.core.registry import referrers
from moorage.domain.identity.callers import Caller
from moorage.domain.names import Registry
from moorage.domain.registry.errors import ExclusionAlreadyExists, ExclusionNotFound
from moorage.domain.registry.manifests import OCI_INDEX
from moorage.domain.registry.referrers import REFERRERS_TAG
from moorage.domain.units import HOUR
from moorage.metadata.database import CachedUntil, Database, Lookup, Transaction, mark_retrieved
from moorage.metadata.registry import pulls, repositories, settings
from moorage.metadata.registry.images import StoredManifest

REFRESH_AFTER: Final = HOUR
"""The age of a recorded time from which on a pull updates it."""

DELAY: Final = 2.0
"""Seconds between a pull and the write of its time."""


def pull(tx: Transaction, registry: Registry, name: str, reference: str) -> StoredManifest | None:
    """The manifest with a tag or digest; for a referrers tag, an index of all referrers. None if there is none."""
    account, region = registry.account, registry.region
    pushed = pulls.find_manifest(tx, account, region, name, reference)
    if REFERRERS_TAG.fullmatch(reference) is None or (pushed is not None and pushed.media_type != OCI_INDEX):
        return pushed
    repository = repositories.find(tx, registry, name)
    return None if repository is None else referrers.list_under_tag(tx, repository.id, reference, pushed)


class Pulls:
    """Records pull times. Each process has its own."""

    def __init__(self, database: Database, reactions: Reactions, now: Clock) -> None:
        self._database = database
        self._reactions = reactions
        self._now = now
        self._pending: dict[int, int] = {}
        self._timer: asyncio.TimerHandle | None = None

    def is_due(self, manifest: StoredManifest) -> bool:
        """Whether a pull must be recorded. Called for every pull."""
        return manifest.image_id is not None and (manifest.last_pulled_at or 0) <= self._now() - REFRESH_AFTER

    async def record(self, caller: Caller, registry: Registry, manifest: StoredManifest) -> None:
        """Record a pull, unless the registry excludes the caller's user or role. A scanner's pull does not count.

        ECR user guide, "Pull time update exclusions": Amazon Inspector's pulls do not count either.
        """
        if manifest.image_id is None or not self.is_due(manifest) or await self.is_excluded(caller, registry):
            return
        self._pending[manifest.image_id] = self._now()
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(DELAY, self.flush)

    async def is_excluded(self, caller: Caller, registry: Registry) -> bool:
        """Whether the registry does not record the pulls of the caller's user or role."""
        excluded = await self._database.read_cached(
            Lookup(
                ("pull time exclusions", registry),
                lambda tx: settings.all_pull_time_exclusions(tx, registry),
                until=CachedUntil.ACCESS_CHANGE,
                size=lambda principals: sum(map(len, principals)),
            )
        )
        return caller.principal_arn in excluded or caller.user_id == READER_ID

    def flush(self) -> asyncio.Future[None] | None:
        """Pass pending times to the database, which writes them later; None if there are none."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        pulled, self._pending = self._pending, {}
        if not pulled:
            return None
        written = self._database.write_later(lambda tx: react(tx, self._reactions.images_pulled, ImagesPulled(pulled)))
        written.add_done_callback(mark_retrieved)  # After a failure, the next pull records the time again.
        return written


def exclude(tx: Transaction, registry: Registry, principal: str, limits: Limits, now: int) -> None:
    """Exclude a principal: its pulls are not recorded. Raises ExclusionAlreadyExists, LimitExceeded."""
    if not settings.insert_pull_time_exclusion(tx, registry, principal, now):
        raise ExclusionAlreadyExists(principal=principal, registry=registry.account)
    limits.quotas.check("pull_time_exclusions", len(settings.all_pull_time_exclusions(tx, registry)))


def include(tx: Transaction, registry: Registry, principal: str) -> None:
    """Remove the exclusion of a principal. Raises ExclusionNotFound."""
    if not settings.delete_pull_time_exclusion(tx, registry, principal):
        raise ExclusionNotFound(principal=principal, registry=registry.account)


def record_times(tx: Transaction, change: ImagesPulled) -> None:
    """Write the pull times to the rows of the images."""
    pulls.record(tx, change.times)
