"""Continuous scans: each new vulnerability database lets the known images be matched again, spread over time.

Also the work after a change of a scanning configuration: announce new frequencies, and scan the images that the new
configuration covers.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from moorage.core.clock import Clock
from moorage.core.pacing import Throttle
from moorage.core.scanning import events, jobs, scans
from moorage.core.scanning.configurations import applied
from moorage.core.scanning.events import CHANGES, FrequencyChange
from moorage.domain.names import Registry
from moorage.domain.scanning.configuration import ScanningConfiguration
from moorage.domain.scanning.images import is_scannable
from moorage.domain.scanning.ports import Scanner, ScannerUnavailable
from moorage.domain.scanning.statuses import ELIGIBLE_AGE
from moorage.domain.units import DAY, SECOND
from moorage.metadata import jobs as job_rows
from moorage.metadata.database import Database, Transaction
from moorage.metadata.jobs import Job, JobFailed
from moorage.metadata.registry import images, repositories
from moorage.metadata.registry.images import Image, ImageFilter
from moorage.metadata.registry.repositories import Repository
from moorage.metadata.scanning import configurations, scanner_state
from moorage.metadata.scanning import scans as rows
from moorage.metadata.scanning.configurations import StoredConfiguration
from moorage.metadata.scanning.scans import WatchedImage

WATCH: Final = "watch-scanner"
EVERY: Final = 300 * SECOND

SPREAD: Final = DAY
"""Images are matched again, or scanned after a change of the configuration, within this time."""

_GAP: Final = 5 * SECOND
"""Time between two of these images. A match takes about 3 seconds of a processor, and pushes go first."""

_PAGE: Final = 200
_LOAD: Final = 1 / 9
"""The share of the time that a job spends with the database: each pause is eight times as long as the work."""


class ScannerWatch:
    """The work of the jobs that follow the scanner's database and the scanning configurations."""

    def __init__(self, database: Database, scanner: Scanner | None, now: Clock) -> None:
        self._database = database
        self._scanner = scanner
        self._now = now

    async def watch(self, _: Job) -> None:
        """Record the state of the scanner; after a change of its database, let known images be matched again.

        Raises JobFailed when the scanner does not answer.
        """
        if self._scanner is None:
            await self._database.write(scanner_state.clear)
            return
        try:
            status = await self._scanner.status()
        except ScannerUnavailable as error:
            await self._database.write(partial(scanner_state.record_problem, problem=str(error)))
            raise JobFailed(str(error)) from None
        known = await self._database.read(scanner_state.find)
        if known is not None and known == status:
            return
        if status.problem is None and status.database is not None:
            await self._match_all_again(status.database)
        await self._database.write(partial(scanner_state.put, status=status))

    async def _match_all_again(self, database_id: str) -> None:
        """Enqueue a job for each image that was last matched with another database."""
        after = number = 0
        throttle = Throttle(_LOAD)
        while True:
            with throttle.working():
                page = await self._database.read(partial(rows.watched, after=after, limit=_PAGE))
                outdated = [one for one in page if one.database_id != database_id]
                if outdated:
                    await self._database.write(partial(self._enqueue, found=outdated, first=number))
            if len(page) < _PAGE:
                return
            after, number = page[-1].image_id, number + len(outdated)
            await throttle.rest()

    def _enqueue(self, tx: Transaction, found: list[WatchedImage], first: int) -> None:
        for number, one in enumerate(found, start=first):
            job_rows.enqueue(tx, jobs.REMATCH, scans.job_key(one.repository_id, one.digest), {}, self._due(number))

    def _due(self, number: int) -> int:
        return self._now() + number * _GAP % SPREAD

    # --- After a change of a configuration ----------------------------------------------------------------------

    async def apply(self, job: Job) -> None:
        """Announce the frequencies that a new configuration changes, and scan the images that it covers.

        Enhanced scanning begins with the images of the last 14 days (ECR user guide, "Enhanced scanning").
        """
        account, _, region = job.key.partition(" ")
        registry = Registry(account, region)
        found = await self._database.read(partial(configurations.find, registry=registry))
        after, number, throttle = "", 0, Throttle(_LOAD)
        while True:
            with throttle.working():
                page = await self._database.read(
                    partial(repositories.page_with_policies, registry=registry, after=after, limit=CHANGES)
                )
                named = [repository for repository, _ in page]
                await self._announce(registry, found, named)
            for repository in named:
                number = await self._scan_recent(repository, found, number)
            if len(page) < CHANGES:
                break
            after = named[-1].name
            await throttle.rest()
        await self._database.write(partial(self._finish, registry=registry, configuration=found.current))

    async def _announce(self, registry: Registry, found: StoredConfiguration, named: list[Repository]) -> None:
        if not (found.current.is_enhanced or found.applied.is_enhanced):
            return
        frequencies = [
            (one, applied(found.applied, one).frequency, applied(found.current, one).frequency) for one in named
        ]
        changes = [FrequencyChange(one, before, after) for one, before, after in frequencies if before != after]
        if changes:
            now = self._now()
            await self._database.write(partial(events.frequencies_changed, registry=registry, changes=changes, now=now))

    async def _scan_recent(self, repository: Repository, found: StoredConfiguration, number: int) -> int:
        """Enqueue scans of the recent images of a repository; returns how many were enqueued in all."""
        if not found.current.is_enhanced or not applied(found.current, repository).scans_pushes:
            return number
        since, after, throttle = found.enhanced_at - ELIGIBLE_AGE, 0, Throttle(_LOAD)
        while True:
            with throttle.working():
                page = await self._database.read(
                    partial(images.page, repository_id=repository.id, after=after, selected=ImageFilter(), limit=_PAGE)
                )
                recent = [one for one in page if one.pushed_at >= since]
                number += (
                    await self._database.write(
                        partial(self._enqueue_scans, repository=repository, found=recent, first=number)
                    )
                    if recent
                    else 0
                )
            if len(page) < _PAGE:
                return number
            after = page[-1].id
            await throttle.rest()

    def _enqueue_scans(self, tx: Transaction, repository: Repository, found: list[Image], first: int) -> int:
        """Enqueue scans of those images that have no enhanced scan; returns their number."""
        records = rows.find_all(tx, [image.id for image in found])
        missing = [
            image
            for image in found
            if is_scannable(image.media_type, image.artifact_type)
            and (image.id not in records or records[image.id].scan_type != "ENHANCED")
        ]
        for number, image in enumerate(missing, start=first):
            job_rows.enqueue(tx, scans.JOB, scans.job_key(repository.id, image.digest), {}, self._due(number))
        return len(missing)

    def _finish(self, tx: Transaction, registry: Registry, configuration: ScanningConfiguration) -> None:
        configurations.record_applied(tx, registry, configuration)
