"""The collector as work in the background: again and again, at a small share of the time, and told in the log."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from moorage.core.garbage.collect import CollectionRules, Collector, Report, Totals
from moorage.core.garbage.sweep import Sweeper
from moorage.domain.errors import Unavailable
from moorage.metadata.jobs import Job, JobFailed
from moorage.telemetry import Log


class GarbageJobs:
    """What the job does."""

    def __init__(self, collector: Collector, sweeper: Sweeper, rules: CollectionRules, log: Log) -> None:
        self._collector = collector
        self._sweeper = sweeper
        self._rules = rules
        self._log = log

    async def run(self, _job: Job) -> None:
        """Collect what is garbage now. Raises JobFailed when database or store cannot remove it."""
        await self._logged(partial(self._collector.collect, self._rules))

    async def sweep(self, _job: Job) -> None:
        """Remove what the store has and nobody knows of. Raises JobFailed as `run` does."""
        await self._logged(partial(self._sweeper.sweep, share=self._rules.share, dry_run=self._rules.dry_run))

    async def _logged(self, remove: Callable[[Report], Awaitable[None]]) -> None:
        totals = Totals()
        try:
            await remove(totals)
        except (OSError, Unavailable) as error:
            raise JobFailed(str(error)) from error
        finally:
            for kind, count in totals.counts.items():
                self._log.event("collected", kind=kind, count=count, bytes=totals.sizes[kind])
