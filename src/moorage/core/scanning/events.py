"""Events of scans: those of ECR for basic scans, and those of Amazon Inspector for enhanced ones.

ECR user guide, "Amazon ECR events and EventBridge"; Inspector user guide, "EventBridge schema".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from moorage.core.events import record as events
from moorage.core.events.record import Event
from moorage.core.scanning import enhanced
from moorage.core.scanning.enhanced import ScannedImage
from moorage.core.scanning.targets import Target
from moorage.domain.names import Registry
from moorage.domain.scanning.configuration import ENHANCED, Frequency
from moorage.domain.units import iso_time
from moorage.metadata.database import Transaction
from moorage.metadata.registry import images
from moorage.metadata.registry.repositories import Repository
from moorage.metadata.scanning.scans import ScanRecord, StoredFinding

_INSPECTOR: Final = "aws.inspector2"

_FINDINGS: Final = 200
"""Events about new findings of one scan: the most severe ones. A target could not follow all of thousands."""

CHANGES: Final = 100
"""Repositories in one event about changed scan frequencies."""


@dataclass(frozen=True, slots=True)
class FrequencyChange:
    """A repository whose scan frequency has changed."""

    repository: Repository
    before: Frequency
    after: Frequency


def scan_ended(tx: Transaction, target: Target, record: ScanRecord, now: int) -> None:
    """A scan has ended, except for one that matched known packages again. Inspector has no event for a failed scan."""
    repository, digest = target.repository, target.image.digest
    tags = images.tags_of(tx, target.image.id)
    if record.scan_type != ENHANCED:
        detail = {
            "scan-status": "COMPLETE" if record.outcome.has_findings else "FAILED",
            "repository-name": repository.name,
            "finding-severity-counts": dict(record.counts),
            "image-digest": digest,
            "image-tags": tags,
        }
        event = Event(events.SCAN, "ECR Image Scan", repository.registry, repository.arn, now, detail)
        events.record(tx, replace(event, resources=(repository.arn,)))
    elif record.outcome.has_findings:
        detail = {
            "scan-status": "INITIAL_SCAN_COMPLETE",
            "repository-name": repository.arn,
            "finding-severity-counts": {**record.counts, "TOTAL": sum(record.counts.values())},
            "image-digest": digest,
            "image-tags": tags,
            "version": "1.0",
        }
        event = Event(events.SCAN, "Inspector2 Scan", repository.registry, repository.arn, now, detail)
        events.record(tx, replace(event, resources=(repository.arn,), source=_INSPECTOR))


def findings_found(tx: Transaction, target: Target, record: ScanRecord, new: Sequence[StoredFinding]) -> None:
    """An enhanced scan has found what the image was not known to have: one event for each finding."""
    if record.scan_type != ENHANCED or not new or not events.is_selected(tx, events.FINDING):
        return
    repository = target.repository
    scanned = ScannedImage(repository, target.image, images.tags_of(tx, target.image.id), record)
    resources = (f"{repository.arn}/{target.image.digest}",)
    for stored in new[:_FINDINGS]:
        detail = enhanced.finding(scanned, stored, iso_time)
        event = Event(
            events.FINDING, "Inspector2 Finding", repository.registry, repository.arn, record.completed_at, detail
        )
        events.record(tx, replace(event, resources=resources, source=_INSPECTOR))


def frequencies_changed(tx: Transaction, registry: Registry, changes: Sequence[FrequencyChange], now: int) -> None:
    """The scan frequencies of these repositories have changed, at most CHANGES of them."""
    detail = {
        "action-type": "SCAN_FREQUENCY_CHANGE",
        "repositories": [
            {
                "repository-name": change.repository.name,
                "repository-arn": change.repository.arn,
                "scan-frequency": str(change.after),
                "previous-scan-frequency": str(change.before),
            }
            for change in changes
        ],
        "resource-type": "REPOSITORY",
        "scan-type": ENHANCED,
    }
    event = Event(
        events.SCAN_FREQUENCY_CHANGE, "ECR Scan Resource Change", registry, registry.registry_arn(), now, detail
    )
    events.record(tx, event)
