"""The jobs that scan images, and those that match known images again with a new vulnerability database.

A job reads the current state, lets the scanner work without a transaction, and then stores the results if the image is
still the same one. A process that is killed in between leaves nothing that counts: another one starts again.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Final

from moorage.core.clock import Clock
from moorage.core.scanning import events, targets
from moorage.core.scanning.boms import Boms
from moorage.core.scanning.results import ResultStore
from moorage.core.scanning.source import ImageSources
from moorage.core.scanning.targets import Target
from moorage.domain.ports import BlobMissing
from moorage.domain.scanning.images import is_file_system
from moorage.domain.scanning.ports import (
    ImageTooLarge,
    ImageUnsupported,
    SbomUnusable,
    ScanFailed,
    Scanned,
    Scanner,
    ScannerUnavailable,
)
from moorage.domain.scanning.statuses import NO_SCANNER_TEXT, UNSUPPORTED_TEXT, Outcome
from moorage.metadata.database import Database, Transaction
from moorage.metadata.jobs import Job, JobFailed
from moorage.metadata.scanning import scanner_state
from moorage.metadata.scanning import scans as rows

REMATCH: Final = "rematch-image"
"""The kind of the jobs that match an image again. The keys are those of `scans.JOB`."""

ATTEMPTS: Final = 5
"""With the delays of jobs, attempts for 75 seconds: clients wait five minutes for a scan (ImageScanComplete)."""


class ScanJobs:
    """The work of the jobs of scans. `scanner` is None if the operator has not configured one."""

    def __init__(
        self, database: Database, scanner: Scanner | None, sources: ImageSources, boms: Boms, now: Clock
    ) -> None:
        self._database = database
        self._scanner = scanner
        self._sources = sources
        self._boms = boms
        self._results = ResultStore(database, now)
        self._now = now

    async def scan(self, job: Job) -> None:
        """Scan an image, unless a scan of the last day is enough.

        Raises JobFailed when the scanner cannot work now; after the last attempt, the scan fails instead.
        """
        target = await self._database.write(partial(targets.begin, key=job.key, now=self._now()))
        if target is None:
            return
        if self._scanner is None:
            await self._end(target, Outcome.FAILED, NO_SCANNER_TEXT)
            return
        try:
            await self._scan(target, self._scanner)
        except JobFailed as error:
            if job.attempts < ATTEMPTS:
                raise
            await self._end(target, Outcome.FAILED, str(error))

    async def match_again(self, job: Job) -> None:
        """Match the stored bill of materials of an image. Raises JobFailed when the scanner cannot work now."""
        target = await self._database.write(partial(targets.to_match_again, key=job.key))
        if target is None or self._scanner is None:
            return
        sbom = await self._boms.content(target)
        if sbom is None:
            await self._scan(target, self._scanner)
            return
        try:
            await self._require_newest(self._scanner)
            scanned = await self._scanner.match(sbom)
        except (SbomUnusable, ScanFailed):
            await self._scan(target, self._scanner)
        except ScannerUnavailable as error:  # The findings of the last scan stay.
            raise JobFailed(str(error)) from None
        else:
            await self._results.store(target, scanned, target.record.sbom)

    def give_up(self, tx: Transaction, job: Job, error: str) -> None:
        """Record that a scan failed for good: it ended its process each time, or an error was not expected."""
        target = targets.begin(tx, job.key, self._now())
        if target is not None:
            self._record_end(tx, target, Outcome.FAILED, error)

    async def _require_newest(self, scanner: Scanner) -> None:
        """Raise JobFailed if another node has a newer database: this node would find what was found before."""
        known, status = await self._database.read(scanner_state.find), await scanner.status()
        if known is not None and (status.database_time or 0) < (known.database_time or 0):
            raise JobFailed("another node has a newer vulnerability database than this one")

    async def _scan(self, target: Target, scanner: Scanner) -> None:
        try:
            scanned = await self._run(target, scanner)
        except ImageUnsupported:
            await self._end(target, Outcome.UNSUPPORTED, UNSUPPORTED_TEXT)
        except ImageTooLarge as error:
            await self._end(target, Outcome.TOO_LARGE, str(error))
        except ScanFailed as error:
            await self._end(target, Outcome.FAILED, str(error))
        except ScannerUnavailable as error:
            raise JobFailed(str(error)) from None
        except BlobMissing:
            if not await self._database.read(target.is_gone):
                raise JobFailed("a layer of the image is missing in the blob store") from None
        else:
            await self._results.store(target, scanned, await self._boms.keep(target, scanned))

    async def _run(self, target: Target, scanner: Scanner) -> Scanned:
        source = await self._sources.of(target)
        if not any(is_file_system(layer.media_type) for layer in source.layers):
            raise ImageUnsupported(UNSUPPORTED_TEXT)
        return await scanner.scan(source)

    async def _end(self, target: Target, outcome: Outcome, reason: str) -> None:
        await self._database.write(partial(self._record_end, target=target, outcome=outcome, reason=reason))

    def _record_end(self, tx: Transaction, target: Target, outcome: Outcome, reason: str) -> None:
        """Record a scan without results, if the image is still there."""
        if target.is_gone(tx):
            return
        now = self._now()
        record = replace(
            target.record,
            outcome=outcome,
            reason=reason,
            completed_at=now,
            counts={},
            is_watched=target.is_watched,
        )
        rows.put(tx, record)
        events.scan_ended(tx, target, record, now)
