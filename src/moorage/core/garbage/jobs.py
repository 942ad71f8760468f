"""Background jobs of garbage collection: the collector and the sweeper, whose results are logged."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from moorage.core.garbage.collect import CollectionRules, Collector, ReportItem, Totals
from moorage.core.garbage.sweep import Sweeper
from moorage.core.own_store import ForeignStore, OwnStore
from moorage.domain.errors import Unavailable
from moorage.domain.ports import StoreFull
from moorage.metadata.jobs import Job, JobFailed
from moorage.telemetry import Log

COLLECTION: Final = "collect-garbage"
"""The recurring job of the collector."""


class GarbageJobs:
    """The work of the garbage collection jobs."""

    def __init__(
        self, collector: Collector, sweeper: Sweeper, own_store: OwnStore, rules: CollectionRules, log: Log
    ) -> None:
        self._collector = collector
        self._sweeper = sweeper
        self._own_store = own_store
        self._rules = rules
        self._log = log

    async def run(self, _job: Job) -> None:
        """Collect garbage. Raises JobFailed if the database or the blob store cannot remove it."""
        await self._logged(partial(self._collector.collect, self._rules))

    async def sweep(self, _job: Job) -> None:
        """Remove bytes without a row from the blob store. Raises JobFailed as `run` does."""
        await self._logged(partial(self._sweeper.sweep, share=self._rules.share, dry_run=self._rules.dry_run))

    async def _logged(self, remove: Callable[[ReportItem], Awaitable[None]]) -> None:
        totals = Totals()
        try:
            await self._own_store.confirm()  # While a server runs, a file system can be unmounted.
            await remove(totals)
        except (ForeignStore, OSError, StoreFull, Unavailable) as error:
            raise JobFailed(str(error)) from error
        finally:
            for kind, count in totals.counts.items():
                self._log.event("collected", kind=kind, count=count, bytes=totals.sizes[kind])
