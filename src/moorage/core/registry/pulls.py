"""When images were pulled last: remembered at once, written a little later, and never at the cost of a pull.

A pull of an image whose time in the database is recent enough does nothing at all. Otherwise its time waits in memory,
with those of other images, for one write that no request waits for. A crash loses what waits; the next pull tells it
again. ECR promises no more: the time "is refreshed at least once every 24 hours" (API reference, ImageDetail).
"""

from __future__ import annotations

import asyncio
from typing import Final

from moorage.core.clock import Clock
from moorage.core.limits import Limits
from moorage.core.reactions import ImagesPulled, Reactions, react
from moorage.core.registry import referrers
from moorage.domain.errors import ExclusionAlreadyExists, ExclusionNotFound
from moorage.domain.identity.callers import Caller
from moorage.domain.names import Registry
from moorage.domain.registry.manifests import OCI_INDEX
from moorage.domain.registry.referrers import REFERRERS_TAG
from moorage.domain.units import HOUR
from moorage.metadata.database import CachedUntil, Database, Lookup, Transaction
from moorage.metadata.registry import pulls, repositories, settings
from moorage.metadata.registry.images import StoredManifest

REFRESHED: Final = HOUR
"""How old a recorded time must be before another pull moves it."""

DELAY: Final = 2.0
"""Seconds that a time waits for others to be written with."""


def pull(tx: Transaction, registry: Registry, name: str, reference: str) -> StoredManifest | None:
    """The manifest that a tag or digest of a repository names; for a referrers tag, the list of all referrers."""
    account, region = registry.account, registry.region
    pushed = pulls.find_manifest(tx, account, region, name, reference)
    if REFERRERS_TAG.fullmatch(reference) is None or (pushed is not None and pushed.media_type != OCI_INDEX):
        return pushed
    repository = repositories.find(tx, registry, name)
    return None if repository is None else referrers.list_under_tag(tx, repository.id, reference, pushed)


class Pulls:
    """Takes note of pulls, in each process for itself."""

    def __init__(self, database: Database, reactions: Reactions, now: Clock) -> None:
        self._database = database
        self._reactions = reactions
        self._now = now
        self._waiting: dict[int, int] = {}
        self._timer: asyncio.TimerHandle | None = None

    def is_due(self, manifest: StoredManifest) -> bool:
        """Whether a pull of this is news: the one thing that every pull is asked."""
        return manifest.image_id is not None and (manifest.last_pulled_at or 0) <= self._now() - REFRESHED

    async def record(self, caller: Caller, registry: Registry, manifest: StoredManifest) -> None:
        """Note that `caller` was given an image of `registry`, unless the registry excludes the user or the role."""
        if manifest.image_id is None or not self.is_due(manifest):
            return
        excluded = await self._database.read_cached(
            Lookup(
                ("pull time exclusions", registry),
                lambda tx: settings.all_pull_time_exclusions(tx, registry),
                until=CachedUntil.ACCESS_CHANGE,
            )
        )
        if caller.principal_arn in excluded:
            return
        self._waiting[manifest.image_id] = self._now()
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(DELAY, self.flush)

    def flush(self) -> asyncio.Future[None] | None:
        """Hand what waits to the database, which writes it in its own time; None when nothing waits."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        pulled, self._waiting = self._waiting, {}
        if not pulled:
            return None
        written = self._database.write_later(lambda tx: react(tx, self._reactions.images_pulled, ImagesPulled(pulled)))
        written.add_done_callback(_forget)
        return written


def _forget(written: asyncio.Future[None]) -> None:
    """A time that could not be written is told again by the next pull."""
    if not written.cancelled():
        written.exception()


def exclude(tx: Transaction, registry: Registry, principal: str, limits: Limits, now: int) -> None:
    """Let pulls of a principal move no time. Raises ExclusionAlreadyExists, LimitExceeded."""
    if not settings.insert_pull_time_exclusion(tx, registry, principal, now):
        raise ExclusionAlreadyExists(principal=principal, registry=registry.account)
    limits.quotas.check("pull_time_exclusions", len(settings.all_pull_time_exclusions(tx, registry)))


def include(tx: Transaction, registry: Registry, principal: str) -> None:
    """Let pulls of a principal count again. Raises ExclusionNotFound."""
    if not settings.delete_pull_time_exclusion(tx, registry, principal):
        raise ExclusionNotFound(principal=principal, registry=registry.account)


def record_times(tx: Transaction, change: ImagesPulled) -> None:
    """Write the times of the latest pulls to the rows of the images."""
    pulls.record(tx, change.times)
