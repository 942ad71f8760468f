"""Referrers of a cached image: those that are here, and those that only the upstream registry has."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from moorage.core.pull_through.attempts import CacheCounts
from moorage.core.pull_through.failures import NotUpstream
from moorage.core.pull_through.leases import item_of
from moorage.core.pull_through.source import Source
from moorage.core.registry.referrers import ReferrersPage
from moorage.domain.registry.manifests import Descriptor
from moorage.metadata.database import Database, Transaction
from moorage.metadata.registry import images, repositories
from moorage.metadata.registry.images import ACTIVE
from moorage.metadata.registry.pulls import Referrer

_SECONDS: Final = 15.0
_KEPT_SECONDS: Final = 60.0
_MOST_KEPT: Final = 64
_LONGEST_KEPT: Final = 256 << 10
"""Lists that are kept, and the bytes of one. A longer one is asked for each time."""

_MOST_DESCRIPTORS: Final = 500
"""Descriptors of an upstream registry that are listed."""


@dataclass(frozen=True, slots=True)
class _Kept:
    until: float
    found: Sequence[Descriptor]


@dataclass(frozen=True, slots=True)
class WantedReferrers:
    """Referrers of a subject, of these artifact types if there are any, after a position."""

    subject: str
    types: Sequence[str]
    after: int

    def includes(self, position: int, one: Descriptor) -> bool:
        return position < min(self.after, 0) and (not self.types or one.artifact_type in self.types)


class UpstreamReferrers:
    """Asks upstream registries for referrers, at most once a minute for a subject."""

    def __init__(self, database: Database, counts: CacheCounts) -> None:
        self._database = database
        self._counts = counts
        self._recent: OrderedDict[str, _Kept] = OrderedDict()

    async def added(self, page: ReferrersPage, source: Source, wanted: WantedReferrers) -> ReferrersPage:
        """The last page of the local referrers, with all that are not here and follow. Raises UpstreamRefusal.

        The position of one is its number in the list of the upstream registry, negated, so that it stays the same when
        others are fetched meanwhile.
        """
        numbered = enumerate(await self._found(source, wanted.subject), 1)
        found = {-number: one for number, one in numbered if wanted.includes(-number, one)}
        here = await self._database.read(lambda tx: _here(tx, source, [one.digest for one in found.values()]))
        missing = {position: one for position, one in found.items() if one.digest not in here}
        rows = [_row(position, one) for position, one in missing.items()]
        annotations = {
            position: msgspec.json.encode(one.annotations).decode()
            for position, one in missing.items()
            if one.annotations
        }
        return ReferrersPage([*page.referrers, *rows], {**page.annotations, **annotations}, more=False)

    async def _found(self, source: Source, subject: str) -> Sequence[Descriptor]:
        item, now = item_of(source.registry, source.name, subject), time.monotonic()
        kept = self._recent.get(item)
        if kept is not None and kept.until > now:
            return kept.found
        found: Sequence[Descriptor] = ()
        try:
            with self._counts.counted(source.host, "referrers"):
                async with asyncio.timeout(_SECONDS):
                    found = (await source.remote.referrers(source.repository, subject))[:_MOST_DESCRIPTORS]
        except NotUpstream:
            found = ()
        if len(msgspec.json.encode(found)) <= _LONGEST_KEPT:
            self._recent[item] = _Kept(now + _KEPT_SECONDS, found)
            self._recent.move_to_end(item)
            if len(self._recent) > _MOST_KEPT:
                self._recent.popitem(last=False)
        return found


def _here(tx: Transaction, source: Source, digests: list[str]) -> set[str]:
    repository = repositories.find(tx, source.registry, source.name)
    return set(images.find_all(tx, repository.id, digests)) if repository else set()


def _row(number: int, one: Descriptor) -> Referrer:
    """A referrer that has no image here, so its id is none of an image."""
    return Referrer(number, one.digest, one.media_type, one.artifact_type, one.size, ACTIVE, 0)
