"""Continuous scans, changes of configurations, and the events of scans."""

from __future__ import annotations

import pytest

from moorage.core.scanning import configurations, scans
from moorage.core.scanning import jobs as scan_jobs
from moorage.domain.scanning.configuration import Frequency
from moorage.domain.scanning.findings import Cvss, Finding, Package, Severity
from moorage.domain.scanning.ports import SbomUnusable, ScanFailed, ScannerUnavailable
from moorage.domain.units import DAY, SECOND
from moorage.metadata.registry.images import Image
from moorage.metadata.registry.repositories import Repository
from moorage.metadata.scanning import scanner_state
from tests.unit.scanning.registry import HERE, FakeScanner, ScanningRegistry, finding

ON_PUSH, CONTINUOUS = Frequency.SCAN_ON_PUSH, Frequency.CONTINUOUS_SCAN


@pytest.fixture
def watched(registry: ScanningRegistry) -> tuple[Repository, Image]:
    """An image that is scanned continuously, after its first scan."""
    registry.configure("ENHANCED")
    repository = registry.repository()
    image = registry.push(repository, "v1")
    registry.work()
    registry.watch()
    assert registry.status(repository, image) == "ACTIVE"
    return repository, image


def named(registry: ScanningRegistry, watched: tuple[Repository, Image]) -> list[str]:
    return [one.finding.name for one in registry.findings(*watched)]


# --- A new database ---------------------------------------------------------------------------------------------


def test_a_new_database_is_matched_with_the_stored_bill_of_materials(
    registry: ScanningRegistry, scanner: FakeScanner, watched: tuple[Repository, Image]
) -> None:
    scanner.database, scanner.findings = "db-2", [finding("CVE-2099-0002", Severity.CRITICAL)]

    assert registry.watch() == [scan_jobs.REMATCH]

    assert named(registry, watched) == ["CVE-2099-0002"]
    assert registry.status(*watched) == "ACTIVE"
    assert scanner.matched == [scanner.sbom]
    assert scanner.scanned == [watched[1].digest], "the image was read once"


def test_nothing_is_matched_again_while_the_database_stays_the_same(
    registry: ScanningRegistry, scanner: FakeScanner, watched: tuple[Repository, Image]
) -> None:
    assert registry.watch() == []
    assert scanner.matched == []


def test_many_images_are_spread_over_time(registry: ScanningRegistry, scanner: FakeScanner) -> None:
    registry.configure("ENHANCED")
    repository = registry.repository()
    for seed in range(5):
        registry.push(repository, seed=seed)
    registry.work()
    registry.watch()
    scanner.database = "db-2"

    registry.watch(run=False)

    rows = registry.write(lambda tx: tx.all("SELECT due_at FROM job WHERE kind = :k ORDER BY 1", k=scan_jobs.REMATCH))
    assert [due - registry.now for (due,) in rows] == [number * 5 * SECOND for number in range(5)]


@pytest.mark.parametrize("without", ["referrer", "usable", "sense"])
def test_without_a_usable_bill_of_materials_the_image_is_scanned_again(
    registry: ScanningRegistry, scanner: FakeScanner, watched: tuple[Repository, Image], without: str
) -> None:
    repository, image = watched
    if without == "referrer":
        (kept,) = registry.referrers(image)
        registry.write(lambda tx: registry.images.delete(tx, repository, kept.digest, registry.now))
    else:
        scanner.match_error = SbomUnusable("of another scanner") if without == "usable" else ScanFailed("nonsense")
    scanner.database, scanner.findings = "db-2", []

    registry.watch()

    assert scanner.scanned == [image.digest] * 2
    assert named(registry, watched) == []
    assert len(registry.referrers(image)) == 1


def test_findings_stay_while_the_scanner_cannot_match(
    registry: ScanningRegistry, scanner: FakeScanner, watched: tuple[Repository, Image]
) -> None:
    scanner.database, scanner.match_error = "db-2", ScannerUnavailable("busy")

    registry.watch()

    assert named(registry, watched) == ["CVE-2099-0001"]
    assert registry.status(*watched) == "ACTIVE"
    assert set(registry.errors) == {"busy"}


def test_a_node_with_an_older_database_leaves_matching_to_the_others(
    registry: ScanningRegistry, scanner: FakeScanner, watched: tuple[Repository, Image]
) -> None:
    scanner.database, scanner.database_time, scanner.findings = "db-2", 2 * DAY, []
    registry.watch(run=False)
    scanner.database, scanner.database_time = "db-1", DAY
    registry.now += DAY

    registry.work(scan_jobs.REMATCH)
    found = named(registry, watched)
    scanner.database, scanner.database_time = "db-2", 2 * DAY
    registry.now += DAY
    registry.work(scan_jobs.REMATCH)

    assert found == ["CVE-2099-0001"]
    assert named(registry, watched) == []
    assert set(registry.errors) == {"another node has a newer vulnerability database than this one"}


def test_a_repository_that_is_no_longer_scanned_continuously_is_left_alone(
    registry: ScanningRegistry, scanner: FakeScanner, watched: tuple[Repository, Image]
) -> None:
    registry.configure("ENHANCED", (CONTINUOUS, "other"))
    scanner.database = "db-2"

    assert registry.watch() == [scan_jobs.REMATCH]
    scanner.database = "db-3"
    assert registry.watch() == []

    assert scanner.matched == []
    assert registry.status(*watched) == "FINDINGS_UNAVAILABLE"


def test_a_continuous_scan_that_failed_is_repeated_with_the_next_database(
    registry: ScanningRegistry, scanner: FakeScanner
) -> None:
    registry.configure("ENHANCED")
    repository = registry.repository()
    scanner.error = ScanFailed("nonsense")
    image = registry.push(repository)
    registry.work(scans.JOB)
    assert registry.status(repository, image) == "FAILED"

    scanner.error, scanner.database = None, "db-2"
    registry.watch()

    assert registry.status(repository, image) == "ACTIVE"


def test_the_state_of_the_scanner_is_recorded(registry: ScanningRegistry, scanner: FakeScanner) -> None:
    registry.watch()
    state = registry.write(scanner_state.find)
    assert state is not None
    assert (state.scanner, state.database, state.database_time, state.problem) == ("fake 1", "db-1", DAY, None)

    scanner.error = ScannerUnavailable("no answer")
    registry.watch()

    state = registry.write(scanner_state.find)
    assert state is not None
    assert (state.database, state.problem) == ("db-1", "no answer")


# --- A new configuration ----------------------------------------------------------------------------------------


def test_enhanced_scanning_begins_with_the_images_of_the_last_14_days(
    registry: ScanningRegistry, scanner: FakeScanner
) -> None:
    """ECR user guide, "Enhanced scanning"."""
    repository = registry.repository()
    old = registry.push(repository, seed=1)
    registry.now += 10 * DAY
    recent = registry.push(repository, seed=2)
    registry.now += 5 * DAY

    registry.configure("ENHANCED")
    registry.work(configurations.JOB)
    assert registry.status(repository, recent) == "PENDING"
    registry.work()

    assert registry.status(repository, recent) == "ACTIVE"
    assert registry.status(repository, old) == "SCAN_ELIGIBILITY_EXPIRED"
    assert scanner.scanned == [recent.digest]


def test_a_configuration_that_stays_enhanced_keeps_its_beginning(registry: ScanningRegistry) -> None:
    repository = registry.repository()
    image = registry.push(repository)
    registry.configure("ENHANCED", (ON_PUSH, "other"))
    registry.work()
    registry.now += 30 * DAY

    registry.configure("ENHANCED", (ON_PUSH, "*"))
    registry.work()

    assert registry.status(repository, image) == "COMPLETE"


def test_changed_frequencies_are_announced_once_in_one_event(registry: ScanningRegistry) -> None:
    """ECR user guide, "Event for a change in the scan frequency of a repository"."""
    registry.listen()
    app, other = registry.repository("team/app"), registry.repository("other/app", scan_on_push=True)
    registry.configure("ENHANCED", (CONTINUOUS, "team"), (ON_PUSH, "app"))
    registry.work()
    registry.configure("ENHANCED", (CONTINUOUS, "team"), (ON_PUSH, "app"))
    registry.work()

    (event,) = registry.events()
    assert (event["detail-type"], event["source"], event["resources"]) == ("ECR Scan Resource Change", "aws.ecr", [])
    assert event["detail"] == {
        "action-type": "SCAN_FREQUENCY_CHANGE",
        "repositories": [
            {
                "repository-name": "team/app",
                "repository-arn": app.arn,
                "scan-frequency": "CONTINUOUS_SCAN",
                "previous-scan-frequency": "MANUAL",
            },
        ],
        "resource-type": "REPOSITORY",
        "scan-type": "ENHANCED",
    }
    assert other.settings.scan_on_push, "its frequency has not changed"


def test_basic_scanning_announces_no_frequencies(registry: ScanningRegistry) -> None:
    registry.listen()
    registry.repository()
    registry.configure("BASIC", (ON_PUSH, "*"))
    registry.work()

    assert registry.events() == []


# --- Events -----------------------------------------------------------------------------------------------------


def test_a_basic_scan_ends_with_an_event(registry: ScanningRegistry, scanner: FakeScanner) -> None:
    """ECR user guide, "Event for a completed image scan"."""
    registry.listen()
    repository = registry.repository(scan_on_push=True)
    image = registry.push(repository, "v1")
    registry.work()
    scanner.error = ScanFailed("nonsense")
    failed = registry.push(repository, seed=2)
    registry.work()

    complete, failure = registry.events()
    assert complete["detail-type"] == "ECR Image Scan"
    assert complete["resources"] == [repository.arn]
    assert (complete["account"], complete["region"]) == (HERE.account, HERE.region)
    assert complete["detail"] == {
        "scan-status": "COMPLETE",
        "repository-name": "team/app",
        "finding-severity-counts": {"HIGH": 1},
        "image-digest": image.digest,
        "image-tags": ["v1"],
    }
    assert failure["detail"] == {
        "scan-status": "FAILED",
        "repository-name": "team/app",
        "finding-severity-counts": {},
        "image-digest": failed.digest,
        "image-tags": [],
    }


def test_an_enhanced_scan_ends_with_the_events_of_inspector(registry: ScanningRegistry, scanner: FakeScanner) -> None:
    """ECR user guide, "Events for enhanced scanning"; later scans only tell of new findings."""
    registry.configure("ENHANCED", (CONTINUOUS, "*"))
    registry.work()
    registry.listen()
    repository = registry.repository()
    scanner.findings = [
        Finding(
            "CVE-2099-0001",
            Severity.HIGH,
            Package("openssl", "3.0.11", "OS", fixed_in="3.0.12"),
            cvss=(Cvss("3.1", "CVSS:3.1/AV:N", 9.8, "nvd"),),
        )
    ]
    image = registry.push(repository, "v1")
    registry.work()
    registry.watch()

    complete, found = registry.events()
    assert (complete["detail-type"], complete["source"]) == ("Inspector2 Scan", "aws.inspector2")
    assert complete["detail"] == {
        "scan-status": "INITIAL_SCAN_COMPLETE",
        "repository-name": repository.arn,
        "finding-severity-counts": {"HIGH": 1, "TOTAL": 1},
        "image-digest": image.digest,
        "image-tags": ["v1"],
        "version": "1.0",
    }
    assert (found["detail-type"], found["resources"]) == (
        "Inspector2 Finding",
        [f"{repository.arn}/{image.digest}"],
    )
    detail = found["detail"]
    assert (detail["title"], detail["severity"], detail["fixAvailable"]) == ("CVE-2099-0001 - openssl", "HIGH", "YES")
    assert detail["findingArn"].startswith("arn:aws:inspector2:us-east-1:000000000000:finding/")

    scanner.database, scanner.findings = "db-2", [*scanner.findings, finding("CVE-2099-0002")]
    registry.watch()

    (new,) = registry.events()[2:]
    assert new["detail"]["title"] == "CVE-2099-0002 - openssl"
