"""Store the results of a scan: many findings in small transactions, which count from the last one on."""

from __future__ import annotations

import secrets
from dataclasses import replace
from functools import partial
from typing import Final

from moorage.core.clock import Clock
from moorage.core.scanning import events
from moorage.core.scanning.targets import Target
from moorage.domain.batches import batches
from moorage.domain.scanning.ports import Scanned
from moorage.domain.scanning.results import Results, results_of
from moorage.domain.scanning.statuses import Outcome
from moorage.metadata.database import Database, Transaction
from moorage.metadata.scanning import scans as rows
from moorage.metadata.scanning.scans import ScanRecord, StoredFinding

_BATCH: Final = 250
"""Findings written in one transaction; pushes wait for it."""


class ResultStore:
    """Stores the results of scans."""

    def __init__(self, database: Database, now: Clock) -> None:
        self._database = database
        self._now = now

    async def store(self, target: Target, scanned: Scanned, sbom: str | None) -> None:
        """Replace the findings of an image by those of a scan. If the image was deleted meanwhile, nothing remains."""
        results = results_of(scanned.findings, target.repository.arn, target.image.digest)
        now = self._now()
        image_id, before = target.image.id, target.record.generation
        generation = secrets.randbits(62)
        known = await self._database.read(partial(rows.first_seen, image_id=image_id, generation=before))
        found = [
            StoredFinding(position, id_, known.get(id_, now), one)
            for position, (id_, one) in enumerate(results.findings.items())
        ]
        # What an attempt that was killed has left goes first.
        await self._database.write(partial(rows.remove_other_findings, image_id=image_id, generation=before))
        for batch in batches(found, _BATCH):
            add = partial(rows.add_findings, image_id=image_id, generation=generation, found=batch)
            await self._database.write(add)
        record = replace(_record(target, scanned, results, now), generation=generation, sbom=sbom)
        new = [one for one in found if one.id not in known]
        await self._database.write(partial(self._complete, target=target, record=record, new=new))

    def _complete(self, tx: Transaction, target: Target, record: ScanRecord, new: list[StoredFinding]) -> None:
        """Make the new findings the current ones."""
        if target.is_gone(tx) or rows.find(tx, target.image.id) is None:
            return
        rows.put(tx, record)
        rows.remove_other_findings(tx, target.image.id, record.generation)
        is_first = target.record.outcome is Outcome.REQUESTED
        if is_first:
            events.scan_ended(tx, target, record, record.completed_at)
        events.findings_found(tx, target, record, new)


def _record(target: Target, scanned: Scanned, results: Results, now: int) -> ScanRecord:
    reason = ""
    if results.left_out:
        reason = f"The scan was completed, but only the {len(results.findings)} most severe findings are stored."
    return replace(
        target.record,
        outcome=Outcome.CUT if results.left_out else Outcome.DONE,
        reason=reason,
        completed_at=now,
        source_at=scanned.database_time or 0,
        database_id=scanned.database,
        scanner=scanned.scanner,
        counts=results.counts,
        is_watched=target.is_watched,
    )
