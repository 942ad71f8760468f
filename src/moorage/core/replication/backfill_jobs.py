"""The jobs of backfills: find the images of a registry, and bring them to a destination in slices.

All progress is in rows, saved with each slice, so a job that is killed continues where it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from moorage.core.clock import Clock
from moorage.core.replication import outcomes
from moorage.core.replication.destinations import Busy, Destination, Destinations
from moorage.core.replication.outbox import UNTAGGED
from moorage.core.replication.streams import KEEP_FAILED, TURN, unknown
from moorage.domain.names import RepositoryName
from moorage.domain.replication.rules import Rule, destinations_of, targets_of
from moorage.metadata import jobs
from moorage.metadata.database import Database, Transaction
from moorage.metadata.jobs import Job, JobFailed
from moorage.metadata.registry import images
from moorage.metadata.replication import backfills, configurations
from moorage.metadata.replication.backfills import Backfill
from moorage.metadata.replication.entries import Entry, Stream

_REPOSITORIES_READ: Final = 200
_IMAGES_READ: Final = 100
"""Rows that one read of the preparation looks at; an image has up to 1,000 tags."""

_SLICE: Final = 100
"""Results that a destination gets at a time."""

_REMOVED: Final = 2000
"""Old results that one transaction removes."""

_JUDGED_FROM: Final = 100
"""When so many were tried and half of them failed, the backfill fails (API reference)."""


class BackfillJobs:
    """Runs the jobs of backfills."""

    def __init__(self, database: Database, destinations: Destinations, now: Clock) -> None:
        self._database = database
        self._destinations = destinations
        self._now = now

    async def run(self, job: Job) -> None:
        """Continue a backfill to its end. Raises JobFailed, Unavailable."""
        backfill = await self._current(job.key)
        if backfill is None or backfill.has_ended:
            return
        if not backfill.is_prepared:
            await self._prepare(backfill)
        try:
            while await self._continue(job.key):
                pass
        except Busy:
            due_at = self._now() + TURN
            await self._database.write(partial(jobs.enqueue, kind=job.kind, key=job.key, payload={}, due_at=due_at))

    def give_up(self, tx: Transaction, job: Job, _error: str) -> None:
        """End the backfill of a job that died."""
        found = backfills.find(tx, job.key)
        if found is not None and not found.has_ended:
            backfills.end(tx, job.key, "FAILED", self._now(), "DestinationUnavailable")

    async def forget(self, _: Job) -> None:
        """Remove backfills that ended 90 days ago (API reference, ListReplicationBackfills)."""
        before = self._now() - KEEP_FAILED
        while old := await self._database.read(partial(backfills.ended, before=before)):
            await self._database.write(partial(backfills.remove, backfill_id=old, limit=_REMOVED))

    async def _current(self, backfill_id: str) -> Backfill | None:
        return await self._database.read(partial(backfills.find, backfill_id=backfill_id))

    # --- Preparation ----------------------------------------------------------------------------------------------

    async def _prepare(self, backfill: Backfill) -> None:
        """Find all images of the repositories that the rules send to the destination."""
        rules = await self._database.read(partial(configurations.rules_of, registry=backfill.source))
        start, after = backfill.at_repository, backfill.at_image
        while True:
            read = partial(backfills.next_repositories, registry=backfill.source, start=start, limit=_REPOSITORIES_READ)
            found = await self._database.read(read)
            for repository_id, name in found:
                resume = after if name == backfill.at_repository else 0
                if _goes_to(rules, name, backfill) and not await self._prepare_one(
                    backfill.id, repository_id, name, resume
                ):
                    return
            if len(found) < _REPOSITORIES_READ:
                break
            start = found[-1][1] + "\0"
        await self._database.write(partial(self._finish_preparation, backfill.id))

    async def _prepare_one(self, backfill_id: str, repository_id: int, name: RepositoryName, after: int) -> bool:
        """Add the images of a repository; False if the backfill is to stop."""
        while True:
            read = partial(backfills.next_images, repository_id=repository_id, after=after, limit=_IMAGES_READ)
            found = await self._database.read(read)
            if found:
                after = found[-1][0]
                if not await self._database.write(partial(self._add, backfill_id, name, found)):
                    return False
            if len(found) < _IMAGES_READ:
                return True

    def _add(self, backfill_id: str, name: RepositoryName, found: Sequence[tuple[int, str]], tx: Transaction) -> bool:
        backfill = backfills.find(tx, backfill_id)
        if backfill is None or backfill.status != "PREPARING":
            return False
        tags = images.tags_of_all(tx, [image_id for image_id, _ in found])
        rows = [(digest, tag) for image_id, digest in found for tag in tags.get(image_id, UNTAGGED)]
        backfills.add_results(tx, backfill, name, rows, found[-1][0])
        return True

    def _finish_preparation(self, backfill_id: str, tx: Transaction) -> None:
        backfill = backfills.find(tx, backfill_id)
        if backfill is not None and backfill.status == "PREPARING":
            backfills.finish_preparation(tx, backfill_id)

    # --- Replication ----------------------------------------------------------------------------------------------

    async def _continue(self, backfill_id: str) -> bool:
        """Replicate the next slice; False when the backfill has ended. Raises JobFailed, Unavailable."""
        stream, batch, destination = await self._database.write(partial(self._next, backfill_id))
        if stream is None:
            return False
        if destination is None:
            failure = unknown(stream.destination)
            await self._database.write(lambda tx: outcomes.fail(tx, batch, failure, self._now()))
        else:
            await destination.replicate(stream, batch)
            if await self._database.read(partial(_is_unchanged, backfill_id, batch)):
                raise JobFailed("the destination has no result for what it was given")
        return True

    def _next(self, backfill_id: str, tx: Transaction) -> tuple[Stream | None, list[Entry], Destination | None]:
        """What is next, after the backfill got the status that it has now. Without a stream it has ended."""
        backfill = backfills.find(tx, backfill_id)
        if backfill is None or backfill.has_ended:
            return None, [], None
        repository, batch = backfills.waiting(tx, backfill_id, _SLICE)
        tried = backfill.completed + backfill.failed
        if backfill.status == "STOPPING":
            backfills.end(tx, backfill_id, "STOPPED", self._now())
        elif tried >= _JUDGED_FROM and backfill.failed * 2 >= tried:
            backfills.end(tx, backfill_id, "FAILED", self._now(), "TooManyFailures")
        elif not batch:
            backfills.end(tx, backfill_id, "COMPLETE", self._now())
        elif backfill.destination not in destinations_of(configurations.rules_of(tx, backfill.source)):
            backfills.end(tx, backfill_id, "FAILED", self._now(), "DestinationNotConfigured")
        else:
            stream = Stream(backfill.source, repository, backfill.destination)
            return stream, batch, self._destinations.find(tx, backfill.destination)
        return None, [], None


def _goes_to(rules: Sequence[Rule], name: str, backfill: Backfill) -> bool:
    return any(target.registry == backfill.destination for target in targets_of(rules, name))


def _is_unchanged(backfill_id: str, batch: list[Entry], tx: Transaction) -> bool:
    """Whether the first results that wait are still the same."""
    return backfills.waiting(tx, backfill_id, len(batch))[1] == batch
