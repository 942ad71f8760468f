"""What a job scans: an image with the record of its scan, read and written in short transactions around the scan."""

from __future__ import annotations

from dataclasses import dataclass, replace

from moorage.core.scanning.configurations import applied
from moorage.domain.scanning.configuration import Frequency
from moorage.domain.scanning.images import is_scannable
from moorage.domain.scanning.statuses import Outcome, counts_as_recent
from moorage.metadata.database import Transaction
from moorage.metadata.registry import images, repositories
from moorage.metadata.registry.images import Image
from moorage.metadata.registry.repositories import Repository
from moorage.metadata.scanning import configurations
from moorage.metadata.scanning import scans as rows
from moorage.metadata.scanning.scans import ScanRecord


@dataclass(frozen=True, slots=True)
class Target:
    """An image to scan, with the record of the scan that is to be completed, or of the last one."""

    repository: Repository
    image: Image
    record: ScanRecord
    frequency: Frequency

    @property
    def is_watched(self) -> bool:
        """Whether the image is matched again with each new database. A failed scan is then repeated, too."""
        return self.frequency is Frequency.CONTINUOUS_SCAN

    def is_gone(self, tx: Transaction) -> bool:
        """Whether the image or its repository was deleted meanwhile. An image that was pushed again has another id."""
        image = images.find(tx, self.repository.id, self.image.digest)
        if image is None or image.id != self.image.id:
            return True
        return repositories.find_by_id(tx, self.repository.id) is None


def begin(tx: Transaction, key: str, now: int) -> Target | None:
    """The image of a job, with a record of the scan that begins; None if there is nothing to scan."""
    found = _find(tx, key)
    if found is None:
        return None
    repository, image = found
    configuration = configurations.find(tx, repository.registry).current
    frequency = applied(configuration, repository).frequency
    record = rows.find(tx, image.id)
    is_current = record is not None and record.scan_type == configuration.scan_type
    if frequency is Frequency.OFF:
        return None
    if record and is_current and counts_as_recent(record.outcome, record.requested_at, now):
        return None
    if not (record and is_current and record.outcome is Outcome.REQUESTED):
        record = requested(record, image, configuration.scan_type, now)
        rows.put(tx, record)
    return Target(repository, image, record, frequency)


def requested(before: ScanRecord | None, image: Image, scan_type: str, now: int) -> ScanRecord:
    """The record of a scan that begins.

    The findings of the last one stay until it is complete, and its bill of materials may be as good as a new one.
    """
    new = ScanRecord(image_id=image.id, scan_type=scan_type, outcome=Outcome.REQUESTED, requested_at=now)
    if before is None:
        return new
    return replace(new, generation=before.generation, sbom=before.sbom, scanner=before.scanner)


def to_match_again(tx: Transaction, key: str) -> Target | None:
    """The image of a job; None if it is no longer scanned continuously."""
    found = _find(tx, key)
    record = rows.find(tx, found[1].id) if found else None
    if found is None or record is None:
        return None
    repository, image = found
    frequency = applied(configurations.find(tx, repository.registry).current, repository).frequency
    if frequency is not Frequency.CONTINUOUS_SCAN:
        rows.stop_watching(tx, image.id)
        return None
    return Target(repository, image, record, frequency)


def _find(tx: Transaction, key: str) -> tuple[Repository, Image] | None:
    """The repository and the image of a job; None if they are gone, or if the image cannot be scanned."""
    repository_id, _, digest = key.partition(" ")
    repository = repositories.find_by_id(tx, int(repository_id))
    image = images.find(tx, int(repository_id), digest)
    if repository is None or image is None or image.is_archived:
        return None
    return (repository, image) if is_scannable(image.media_type, image.artifact_type) else None
