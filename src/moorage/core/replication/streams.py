"""The jobs of replication: bring what waits in a stream to its destination."""

from __future__ import annotations

from functools import partial
from typing import Final

from moorage.core.clock import Clock
from moorage.core.replication import outbox, outcomes
from moorage.core.replication.destinations import Busy, Destination, Destinations
from moorage.domain.names import Registry
from moorage.domain.replication.rules import targets_of
from moorage.domain.units import DAY, SECOND
from moorage.metadata import jobs
from moorage.metadata.database import Database, Transaction
from moorage.metadata.jobs import Job, JobFailed
from moorage.metadata.replication import configurations, entries
from moorage.metadata.replication.entries import Entry, Failure, Stream

STREAMS: Final = 4
"""Streams that one process replicates at a time."""

KEEP_FAILED: Final = 90 * DAY
"""How long failed entries are kept, as results of backfills are."""

TURN: Final = 2 * SECOND
"""How long a stream waits before it looks for its turn at a busy destination again."""

_ENTRIES: Final = 100
"""Entries that a destination gets at a time."""
_FORGOTTEN: Final = 1000
"""Entries that one transaction removes."""


def unknown(destination: Registry) -> Failure:
    """The failure of an entry whose destination this server does not know."""
    name = f"account {destination.account} in the Region {destination.region}"
    return Failure("DestinationNotFound", f"This server has no {name}, and no destination is set for it")


class StreamJobs:
    """Runs the jobs of streams."""

    def __init__(self, database: Database, destinations: Destinations, now: Clock) -> None:
        self._database = database
        self._destinations = destinations
        self._now = now

    async def run(self, job: Job) -> None:
        """Replicate what waits in a stream. Raises JobFailed, Unavailable."""
        try:
            await self._run(Stream.of_key(job.key))
        except Busy:
            due_at = self._now() + TURN
            await self._database.write(partial(jobs.enqueue, kind=outbox.JOB, key=job.key, payload={}, due_at=due_at))

    async def _run(self, stream: Stream) -> None:
        before: list[Entry] = []
        while True:
            is_configured, destination, batch = await self._database.read(partial(self._next, stream))
            if not batch:
                return
            if not is_configured:
                await self._database.write(partial(entries.drop_waiting, stream=stream))
                return
            if destination is None:
                await self._database.write(partial(self._fail, batch, unknown(stream.destination)))
            else:
                if batch == before:
                    raise JobFailed("the destination has no result for what it was given")
                await destination.replicate(stream, batch)
            before = batch

    def give_up(self, tx: Transaction, job: Job, error: str) -> None:
        """Fail what waits in the stream of a job that died."""
        entries.fail_stream(tx, Stream.of_key(job.key), Failure("DestinationUnavailable", error), self._now())

    async def forget(self, _: Job) -> None:
        """Remove entries that failed long ago."""
        before = self._now() - KEEP_FAILED
        while await self._database.write(partial(entries.remove_failed, before=before, limit=_FORGOTTEN)) >= _FORGOTTEN:
            pass

    def _next(self, stream: Stream, tx: Transaction) -> tuple[bool, Destination | None, list[Entry]]:
        """Whether the stream is still configured, its destination, and what waits."""
        rules = configurations.rules_of(tx, stream.source)
        is_configured = any(target.registry == stream.destination for target in targets_of(rules, stream.repository))
        return is_configured, self._destinations.find(tx, stream.destination), entries.waiting(tx, stream, _ENTRIES)

    def _fail(self, batch: list[Entry], failure: Failure, tx: Transaction) -> None:
        outcomes.fail(tx, batch, failure, self._now())
