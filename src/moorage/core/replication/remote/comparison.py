"""The hourly comparison: what is here with what is there, by digest. What events missed is replicated then."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Final

from moorage.core.clock import Clock
from moorage.core.replication import outbox
from moorage.core.replication.remote import choice
from moorage.core.replication.remote.destination import RemoteDestinations
from moorage.domain.names import Registry
from moorage.domain.remote_registries import RemoteFailure, RemoteMissing, RemoteRegistry
from moorage.domain.replication.rules import targets_of
from moorage.domain.units import DAY
from moorage.metadata import jobs
from moorage.metadata.database import Database, Transaction
from moorage.metadata.jobs import Job
from moorage.metadata.registry import images, repositories
from moorage.metadata.registry.repositories import Repository
from moorage.metadata.replication import comparisons, configurations, destinations, entries
from moorage.metadata.replication.comparisons import Tagged
from moorage.metadata.replication.destinations import Destination
from moorage.metadata.replication.entries import Stream

BEGIN: Final = "compare-destinations"
"""The kind of the hourly job that enqueues the others."""

JOB: Final = "compare-destination"
"""The kind of the jobs that compare. There is one for each source registry and destination, and its key names both."""

ATTEMPTS: Final = 3
"""Attempts of a comparison. The next one is due within an hour anyway."""

_REPOSITORIES: Final = 100
_TAGS: Final = 500
_AGAIN: Final = 500
"""Failed entries that one transaction lets wait again."""

_UPLOAD_LIFE: Final = DAY


class Comparisons:
    """Compares source registries with their destinations."""

    def __init__(self, database: Database, remote: RemoteDestinations, now: Clock) -> None:
        self._database = database
        self._remote = remote
        self._now = now

    async def begin(self, _: Job) -> None:
        """Let each source registry be compared with each of its destinations outside this server."""
        await self._database.write(self._enqueue)

    def _enqueue(self, tx: Transaction) -> None:
        now = self._now()
        destinations.forget_old_uploads(tx, now - _UPLOAD_LIFE)
        known = {destination.registry for destination in destinations.list_all(tx)}
        if not known:
            return
        for source in comparisons.configured_sources(tx):
            for registry in {each for rule in configurations.rules_of(tx, source) for each in rule.destinations}:
                if registry in known:
                    jobs.enqueue(tx, JOB, _key(source, registry), {}, now)

    async def run(self, job: Job) -> None:
        """Compare one source registry with one destination. Raises JobFailed, Unavailable.

        If the destination does not answer, the job succeeds, and the next comparison follows in an hour.
        """
        source, registry = _of_key(job.key)
        destination = await self._database.read(partial(destinations.find, registry=registry))
        if destination is None:
            return
        try:
            await self._compare_all(source, destination, self._remote.at(destination))
        except RemoteFailure as failure:
            record = partial(destinations.record_error, registry=registry, error=str(failure), now=self._now())
            await self._database.write(record)

    async def _compare_all(self, source: Registry, destination: Destination, remote: RemoteRegistry) -> None:
        """Compare all repositories, after what failed for a reason that has passed. Raises RemoteFailure."""
        await remote.check()
        while await self._database.write(partial(self._wait_again, source, destination.registry)):
            pass
        after = ""
        while True:
            page = await self._database.read(
                partial(comparisons.page_of_repositories, registry=source, after=after, limit=_REPOSITORIES)
            )
            for name in page:
                await self._compare(Stream(source, name, destination.registry), destination, remote)
            if len(page) < _REPOSITORIES:
                return
            after = page[-1]

    def _wait_again(self, source: Registry, destination: Registry, tx: Transaction) -> int:
        again = entries.wait_again_if_passed(tx, source, destination, _AGAIN)
        for repository in set(again):
            jobs.enqueue(tx, outbox.JOB, Stream(source, repository, destination).key, {}, self._now())
        return len(again)

    async def _compare(self, stream: Stream, destination: Destination, remote: RemoteRegistry) -> None:
        since = await self._database.read(partial(_configured_since, stream))
        if since is None:
            return
        there: set[str] | None = None
        after = ""
        while True:
            tags = await self._database.read(
                partial(comparisons.tags_to_compare, stream=stream, since=since, after=after, limit=_TAGS)
            )
            tags_taken = [each for each in tags if destination.selection.takes_tag(each.tag)]
            if tags_taken and there is None:
                there = await _tags_there(remote, destination.selection.name_there(stream.repository))
            missing = await self._missing(stream, destination, remote, tags_taken, there or set())
            if missing:
                await self._database.write(partial(self._replicate, stream, destination, missing))
            if len(tags) < _TAGS:
                return
            after = tags[-1].tag

    async def _missing(
        self,
        stream: Stream,
        destination: Destination,
        remote: RemoteRegistry,
        tags: Iterable[Tagged],
        there: set[str],
    ) -> list[Tagged]:
        repository = destination.selection.name_there(stream.repository)
        return [
            each for each in tags if each.tag not in there or await _head(remote, repository, each.tag) != each.digest
        ]

    def _replicate(self, stream: Stream, destination: Destination, missing: list[Tagged], tx: Transaction) -> None:
        """Leave entries for tags, unless the destination refused them before."""
        now = self._now()
        source = repositories.find(tx, stream.source, stream.repository)
        if source is None:
            return
        for each in missing:
            if _is_wanted(tx, source, destination, each) and not entries.is_refused(tx, stream, each.digest, each.tag):
                entries.add(tx, [stream], "COPY", each.digest, [each.tag], now)
        jobs.enqueue(tx, outbox.JOB, stream.key, {}, now)


def _is_wanted(tx: Transaction, source: Repository, destination: Destination, each: Tagged) -> bool:
    image = images.find(tx, source.id, each.digest)
    return image is not None and choice.is_chosen(tx, destination.selection, image, [each.tag])


def _configured_since(stream: Stream, tx: Transaction) -> int | None:
    """Since when a repository is replicated to a destination; None if it is not."""
    rules = configurations.rules_of(tx, stream.source)
    if not any(target.registry == stream.destination for target in targets_of(rules, stream.repository)):
        return None
    return comparisons.configured_at(tx, stream.source)


async def _tags_there(remote: RemoteRegistry, repository: str) -> set[str]:
    try:
        return {tag async for page in remote.tags(repository) for tag in page}
    except RemoteMissing:
        return set()


async def _head(remote: RemoteRegistry, repository: str, tag: str) -> str | None:
    try:
        return await remote.head(repository, tag)
    except RemoteMissing:
        return None


def compare_now(tx: Transaction, now: int) -> None:
    """Let all destinations be compared as soon as a worker process is free, for example after one has changed."""
    jobs.hurry(tx, BEGIN, "", now)


def _key(source: Registry, destination: Registry) -> str:
    return f"{source.account} {source.region} {destination.account} {destination.region}"


def _of_key(key: str) -> tuple[Registry, Registry]:
    account, region, to_account, to_region = key.split(" ")
    return Registry(account, region), Registry(to_account, to_region)
