"""Scans of images: start them on a push or on request, and look at their state and findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from moorage.core.reactions import ImagePushed, StorageClassChanged
from moorage.core.registry import image_ids
from moorage.core.registry.image_ids import ImageId
from moorage.core.scanning.configurations import applied
from moorage.core.scanning.targets import requested
from moorage.domain.errors import LimitExceeded, Validation
from moorage.domain.registry.manifests import INDEX_TYPES
from moorage.domain.scanning.configuration import BASIC, ScanningConfiguration
from moorage.domain.scanning.errors import ImageArchived, ScanNotFound, UnsupportedImageType
from moorage.domain.scanning.images import are_companion_tags, is_scannable
from moorage.domain.scanning.statuses import ScanFacts, ScanState, counts_as_recent, state_of
from moorage.metadata import jobs
from moorage.metadata.database import Transaction
from moorage.metadata.registry import images
from moorage.metadata.registry.images import Image
from moorage.metadata.registry.repositories import Repository
from moorage.metadata.scanning import configurations
from moorage.metadata.scanning import scans as rows
from moorage.metadata.scanning.configurations import StoredConfiguration
from moorage.metadata.scanning.scans import ScanRecord, StoredFinding

JOB: Final = rows.SCAN_JOB
"""The kind of the jobs that scan images. The key of a job is the repository's id and the image's digest."""


@dataclass(frozen=True, slots=True)
class ImageScan:
    """The state of an image's scan, and the record of the last one."""

    image: Image
    state: ScanState
    record: ScanRecord | None

    @property
    def complete_record(self) -> ScanRecord | None:
        """The record, if its findings can be shown."""
        return self.record if self.state.has_findings else None


def job_key(repository_id: int, digest: str) -> str:
    return f"{repository_id} {digest}"


# --- Reactions --------------------------------------------------------------------------------------------------


def image_pushed(tx: Transaction, change: ImagePushed) -> None:
    """Let a job scan the image if the configuration says so. The job finds out whether that is still necessary."""
    if is_scannable(change.image.media_type, change.image.artifact_type) and not are_companion_tags(change.tags):
        _scan_if_configured(tx, change.settings.scanning, change.repository, change.digest, change.at)


def storage_class_changed(tx: Transaction, change: StorageClassChanged) -> None:
    """Scan a restored image as if it had been pushed. What scans found before is lost (ECR user guide)."""
    if change.target != "STANDARD" or not is_scannable(change.image.media_type, change.image.artifact_type):
        return
    image = images.find(tx, change.repository.id, change.digest)
    if image is not None:
        rows.delete(tx, image.id)
    configuration = configurations.find(tx, change.repository.registry).current
    _scan_if_configured(tx, configuration, change.repository, change.digest, change.at)


def _scan_if_configured(
    tx: Transaction, configuration: ScanningConfiguration, repository: Repository, digest: str, at: int
) -> None:
    if applied(configuration, repository).scans_pushes:
        jobs.enqueue(tx, JOB, job_key(repository.id, digest), {}, at)


# --- Operations -------------------------------------------------------------------------------------------------


def start(tx: Transaction, repository: Repository, image_id: ImageId, now: int) -> Image:
    """Start a scan that was requested, and return the image.

    Raises Validation while the registry has enhanced scanning, ImageNotFound, UnsupportedImageType, ImageArchived, and
    LimitExceeded for an image that was scanned less than a day ago.
    """
    if configurations.find(tx, repository.registry).current.is_enhanced:
        raise Validation(reason="This feature is disabled")
    image = image_ids.get(tx, repository, image_id)
    if not is_scannable(image.media_type, image.artifact_type):
        reason = "it is a list of images" if image.media_type in INDEX_TYPES else f"its type is {image.artifact_type}"
        raise UnsupportedImageType(
            digest=image.digest, repository=repository.name, registry=repository.registry.account, reason=reason
        )
    if image.is_archived:
        raise ImageArchived
    record, key = rows.find(tx, image.id), job_key(repository.id, image.digest)
    if jobs.is_waiting(tx, JOB, key) or (record and counts_as_recent(record.outcome, record.requested_at, now)):
        raise LimitExceeded(reason="The scan quota per image has been exceeded. Wait and try again.")
    rows.put(tx, requested(record, image, BASIC, now))
    jobs.enqueue(tx, JOB, key, {}, now)
    return image


def get(tx: Transaction, repository: Repository, image_id: ImageId, now: int) -> ImageScan:
    """The scan of an image. Raises ImageNotFound, ScanNotFound."""
    image = image_ids.get(tx, repository, image_id)
    found = of_images(tx, repository, [image], now).get(image.id)
    if found is None:
        raise ScanNotFound(
            digest=image.digest,
            tag=image_id.tag or "null",
            repository=repository.name,
            registry=repository.registry.account,
        )
    return found


def findings(tx: Transaction, scan: ImageScan, after: int, limit: int) -> list[StoredFinding]:
    """At most `limit` findings after a position. There are none while a scan is in progress."""
    record = scan.complete_record
    return rows.page_of_findings(tx, record, after, limit) if record else []


def of_images(tx: Transaction, repository: Repository, found: Sequence[Image], now: int) -> Mapping[int, ImageScan]:
    """The scans of images of a repository, by image. Images without a scan are missing."""
    scannable = [image for image in found if is_scannable(image.media_type, image.artifact_type)]
    if not scannable:
        return {}
    configuration = configurations.find(tx, repository.registry)
    records = rows.find_all(tx, [image.id for image in scannable])
    waiting = jobs.waiting_keys(tx, JOB, [job_key(repository.id, image.digest) for image in scannable])
    scans: dict[int, ImageScan] = {}
    for image in scannable:
        record = records.get(image.id)
        is_waiting = job_key(repository.id, image.digest) in waiting
        state = state_of(_facts(repository, image, record, configuration, is_waiting=is_waiting), now)
        if state is not None:
            scans[image.id] = ImageScan(image, state, record)
    return scans


def _facts(
    repository: Repository,
    image: Image,
    record: ScanRecord | None,
    configuration: StoredConfiguration,
    *,
    is_waiting: bool,
) -> ScanFacts:
    return ScanFacts(
        is_archived=image.is_archived,
        pushed_at=image.pushed_at,
        is_waiting=is_waiting,
        is_enhanced=configuration.current.is_enhanced,
        enhanced_at=configuration.enhanced_at,
        frequency=applied(configuration.current, repository).frequency,
        scan_type=record.scan_type if record else "",
        outcome=record.outcome if record else None,
        reason=record.reason if record else "",
        requested_at=record.requested_at if record else 0,
    )
