"""What ends scans: failures of each kind, and images that are deleted, damaged or archived meanwhile."""

from __future__ import annotations

import pytest

from moorage.core.registry import repositories
from moorage.core.scanning import scans
from moorage.domain.scanning.configuration import Frequency
from moorage.domain.scanning.ports import (
    ImageTooLarge,
    ImageUnsupported,
    ScanFailed,
    ScannerUnavailable,
)
from moorage.domain.scanning.statuses import NO_SCANNER_TEXT
from moorage.domain.units import SECOND
from moorage.metadata import jobs
from moorage.metadata.database import Transaction
from moorage.metadata.registry import images as image_rows
from tests.unit.scanning.conftest import MakeRegistry
from tests.unit.scanning.registry import FakeScanner, ScanningRegistry

ON_PUSH = Frequency.SCAN_ON_PUSH


def test_without_a_scanner_a_scan_fails_and_says_how_to_have_one(make: MakeRegistry) -> None:
    registry = make(None)
    repository = registry.repository(scan_on_push=True)
    image = registry.push(repository)

    registry.work()

    state = registry.scan(repository, image).state
    assert state.status == "FAILED"
    assert state.description == NO_SCANNER_TEXT
    assert "docs/scanning.md" in state.description
    assert registry.findings(repository, image) == []


@pytest.mark.parametrize(
    ("error", "basic", "enhanced"),
    [
        (ImageUnsupported("no distribution"), "FAILED", "UNSUPPORTED_IMAGE"),
        (ImageTooLarge("more than 4 GiB"), "FAILED", "IMAGE_SIZE_EXCEEDED"),
        (ScanFailed("nonsense"), "FAILED", "FAILED"),
    ],
)
def test_each_failure_for_good_has_its_status(
    registry: ScanningRegistry, scanner: FakeScanner, error: Exception, basic: str, enhanced: str
) -> None:
    scanner.error = error
    repository = registry.repository(scan_on_push=True)
    first = registry.push(repository, seed=1)
    registry.work()
    assert registry.status(repository, first) == basic

    registry.configure("ENHANCED", (ON_PUSH, "*"))
    second = registry.push(repository, seed=2)
    registry.work()

    assert registry.status(repository, second) == enhanced
    assert scanner.scanned.count(second.digest) == 1, "it is not tried again"


def test_a_scanner_that_cannot_work_now_is_tried_again(registry: ScanningRegistry, scanner: FakeScanner) -> None:
    scanner.error = ScannerUnavailable("no database yet")
    repository = registry.repository(scan_on_push=True)
    image = registry.push(repository)
    registry.work()
    assert registry.status(repository, image) == "IN_PROGRESS"

    scanner.error = None
    registry.now += 10 * SECOND
    registry.work()

    assert registry.status(repository, image) == "COMPLETE"
    assert registry.errors == ["no database yet"]


def test_a_scanner_that_stays_away_makes_the_scan_fail_within_two_minutes(
    registry: ScanningRegistry, scanner: FakeScanner
) -> None:
    """Clients wait five minutes (waiter ImageScanComplete: 60 times 5 seconds)."""
    scanner.error = ScannerUnavailable("no database yet")
    repository = registry.repository(scan_on_push=True)
    image = registry.push(repository)

    for _ in range(12):
        registry.work()
        registry.now += 10 * SECOND

    assert registry.scan(repository, image).state[:2] == ("FAILED", "no database yet")
    assert registry.write(lambda tx: tx.all("SELECT 1 FROM job WHERE state = 'dead'")) == []
    assert registry.work() == []


def test_a_scan_whose_job_was_dropped_is_failed(registry: ScanningRegistry) -> None:
    repository = registry.repository()
    image = registry.push(repository)
    registry.start(repository, image)

    key = scans.job_key(repository.id, image.digest)
    registry.write(lambda tx: jobs.delete(tx, scans.JOB, key))

    assert registry.status(repository, image) == "FAILED"


def test_an_image_that_is_deleted_during_its_scan_leaves_no_results(
    registry: ScanningRegistry, scanner: FakeScanner
) -> None:
    repository = registry.repository(scan_on_push=True)
    image = registry.push(repository)

    async def delete() -> None:
        await registry.database.write(lambda tx: registry.images.delete(tx, repository, image.digest, registry.now))

    scanner.before_result = delete
    registry.work()

    left = registry.write(lambda tx: [tx.all(f"SELECT 1 FROM {name}") for name in ("image_scan", "scan_finding")])
    assert left == [[], []]
    assert registry.write(lambda tx: image_rows.with_subject(tx, repository.id, image.digest)) == []


def test_an_image_that_is_deleted_and_pushed_again_during_its_scan_is_scanned_again(
    registry: ScanningRegistry, scanner: FakeScanner
) -> None:
    repository = registry.repository(scan_on_push=True)
    image = registry.push(repository)

    async def replace() -> None:
        scanner.before_result = None
        body = await registry.database.read(lambda tx: image_rows.manifest_body(tx, image.id))

        def again(tx: Transaction) -> None:
            registry.images.delete(tx, repository, image.digest, registry.now)
            registry.images.put(tx, repository, registry.pushed(body), registry.now)

        await registry.database.write(again)

    scanner.before_result = replace
    registry.work()

    assert scanner.scanned == [image.digest] * 2
    assert registry.status(repository, image) == "COMPLETE"


def test_a_repository_that_is_deleted_during_a_scan_ends_it(registry: ScanningRegistry, scanner: FakeScanner) -> None:
    repository = registry.repository(scan_on_push=True)
    registry.push(repository)

    async def delete() -> None:
        await registry.database.write(lambda tx: repositories.delete(tx, repository, registry.now, force=True))

    scanner.before_result = delete

    assert registry.work() == [scans.JOB]
    assert registry.errors == []


def test_a_layer_that_is_missing_makes_the_scan_fail_with_that_reason(registry: ScanningRegistry) -> None:
    repository = registry.repository(scan_on_push=True)
    image = registry.push(repository)
    registry.write(lambda tx: tx.run("UPDATE blob SET damaged_at = 1 WHERE size > 100"))

    for _ in range(5):
        registry.work()
        registry.now += 60 * SECOND

    state = registry.scan(repository, image).state
    assert state[:2] == ("FAILED", "a layer of the image is missing in the blob store")


def test_a_restored_image_is_scanned_again_and_its_earlier_results_are_lost(
    registry: ScanningRegistry, scanner: FakeScanner
) -> None:
    """ECR user guide, "Archiving an image"; a restore triggers what a push triggers."""
    repository = registry.repository(scan_on_push=True)
    image = registry.push(repository)
    registry.work()
    registry.archive(repository, image)
    assert registry.status(repository, image) == "IMAGE_ARCHIVED"
    assert registry.findings(repository, image) == []

    scanner.findings = []
    registry.restore(repository, image)
    assert registry.status(repository, image) == "IN_PROGRESS"
    registry.work()

    assert registry.status(repository, image) == "COMPLETE"
    assert registry.findings(repository, image) == []
    assert scanner.scanned == [image.digest] * 2
