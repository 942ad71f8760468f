"""The collector as work in the background: again and again, at a small share of the time, and told in the log."""

from __future__ import annotations

from moorage.core.collector import Collector, Rules, Totals
from moorage.domain.errors import Unavailable
from moorage.metadata.jobs import Job, JobFailed
from moorage.telemetry import Log


class Collection:
    """What the job does."""

    def __init__(self, collector: Collector, rules: Rules, log: Log) -> None:
        self._collector = collector
        self._rules = rules
        self._log = log

    async def run(self, _job: Job) -> None:
        """Collect what is garbage now. Raises JobFailed when database or store cannot remove it."""
        totals = Totals()
        try:
            await self._collector.collect(self._rules, totals)
        except (OSError, Unavailable) as error:
            raise JobFailed(str(error)) from error
        finally:
            for kind, count in totals.counts.items():
                self._log.event("collected", kind=kind, count=count, bytes=totals.sizes[kind])
