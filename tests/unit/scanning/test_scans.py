"""Scans by jobs: on a push and on request, and what is kept of them."""

from __future__ import annotations

import json

import pytest

from moorage.core.scanning import scans
from moorage.domain.errors import LimitExceeded, Refusal, Validation
from moorage.domain.registry.quotas import Quotas
from moorage.domain.scanning.configuration import Frequency
from moorage.domain.scanning.errors import ImageArchived, ScanNotFound, UnsupportedImageType
from moorage.domain.scanning.findings import Severity
from moorage.domain.scanning.ports import (
    SBOM_TYPE,
    ScanFailed,
)
from moorage.domain.units import DAY
from moorage.metadata.registry import images as image_rows
from tests.support.images import Blob, artifact, index
from tests.support.images import image as build
from tests.unit.scanning.conftest import MakeRegistry
from tests.unit.scanning.registry import FakeScanner, ScanningRegistry, finding

ON_PUSH = Frequency.SCAN_ON_PUSH


def waiting(registry: ScanningRegistry) -> int:
    row = registry.write(lambda tx: tx.one("SELECT count(*) FROM job WHERE kind = :kind", kind=scans.JOB))
    return int(row[0]) if row else 0


# --- What is scanned --------------------------------------------------------------------------------------------


def test_a_push_to_a_repository_with_the_setting_is_scanned(registry: ScanningRegistry, scanner: FakeScanner) -> None:
    repository = registry.repository(scan_on_push=True)
    image = registry.push(repository, "v1")
    assert registry.status(repository, image) == "IN_PROGRESS"

    assert registry.work() == [scans.JOB]

    scan = registry.scan(repository, image)
    assert (scan.state.status, scan.state.description) == ("COMPLETE", "The scan was completed successfully.")
    assert [one.finding for one in registry.findings(repository, image)] == scanner.findings
    assert scan.record is not None
    assert dict(scan.record.counts) == {"HIGH": 1}
    assert len(scanner.read) == 2, "the scanner could read config and layer"


def test_a_push_that_a_rule_matches_is_scanned_and_others_are_not(registry: ScanningRegistry) -> None:
    registry.configure("BASIC", (ON_PUSH, "prod"))
    scanned, other = registry.repository("team/prod"), registry.repository("team/test")
    first, second = registry.push(scanned), registry.push(other)

    registry.work()

    assert registry.status(scanned, first) == "COMPLETE"
    with pytest.raises(ScanNotFound):
        registry.scan(other, second)


def test_only_container_images_are_scanned(registry: ScanningRegistry) -> None:
    """Signatures and SBOMs are not, whether they are artifacts or, as cosign's old ones, look like images."""
    repository = registry.repository(scan_on_push=True)
    image = registry.push(repository, "v1")
    signature = build(layers=[Blob(b"{}", "application/vnd.dev.cosign.simplesigning.v1+json", "sha256:" + "1" * 64)])
    registry.work()

    registry.push(repository, "note", built=artifact(b"A note."))
    registry.push(repository, "list", built=index([build()]))
    registry.push(repository, f"sha256-{image.digest[7:]}.sig", built=signature)

    assert waiting(registry) == 0


def test_an_image_without_a_file_system_is_unsupported(registry: ScanningRegistry, scanner: FakeScanner) -> None:
    """The text is ECR's; for basic scanning it came with FAILED (captured in 2020, aws-cli issues)."""
    repository = registry.repository(scan_on_push=True)
    image = registry.push(repository, built=build(layers=[Blob(b"text", "text/plain", "sha256:" + "1" * 64)]))

    registry.work()

    state = registry.scan(repository, image).state
    assert state.status == "FAILED"
    assert state.description == (
        "UnsupportedImageError: The operating system and/or package manager are not supported."
    )
    assert scanner.scanned == []


# --- On request -------------------------------------------------------------------------------------------------


def test_a_requested_scan_runs_once_a_day(registry: ScanningRegistry, scanner: FakeScanner) -> None:
    """API reference, StartImageScan: "once per 24 hours"."""
    repository = registry.repository()
    image = registry.push(repository)
    registry.start(repository, image)
    assert registry.status(repository, image) == "IN_PROGRESS"
    with pytest.raises(LimitExceeded):  # It is running.
        registry.start(repository, image)
    registry.work()

    registry.now += DAY - 1
    with pytest.raises(LimitExceeded) as refused:
        registry.start(repository, image)
    registry.now += 1
    registry.start(repository, image)
    registry.work()

    assert str(refused.value) == "The scan quota per image has been exceeded. Wait and try again."
    assert scanner.scanned == [image.digest] * 2


def test_a_scan_on_push_counts_for_the_limit(registry: ScanningRegistry) -> None:
    """API reference, StartImageScan: "This limit includes if an image was scanned on initial push"."""
    repository = registry.repository(scan_on_push=True)
    image = registry.push(repository)
    registry.work()

    with pytest.raises(LimitExceeded):
        registry.start(repository, image)


def test_a_failed_scan_can_be_requested_again_at_once(registry: ScanningRegistry, scanner: FakeScanner) -> None:
    repository = registry.repository()
    image = registry.push(repository)
    scanner.error = ScanFailed("The image is damaged.")
    registry.start(repository, image)
    registry.work()
    assert registry.scan(repository, image).state[:2] == ("FAILED", "The image is damaged.")

    scanner.error = None
    registry.start(repository, image)
    registry.work()

    assert registry.status(repository, image) == "COMPLETE"


def test_what_cannot_be_scanned_is_refused(registry: ScanningRegistry) -> None:
    repository = registry.repository()
    image = registry.push(repository, "v1", seed=1)
    note = registry.push(repository, built=artifact(b"A note."))
    registry.push(repository, seed=2)
    images = registry.push(repository, built=index([build(seed=2)]))

    with pytest.raises(UnsupportedImageType, match=r"its type is application/vnd\.example\.note"):
        registry.start(repository, note)
    with pytest.raises(UnsupportedImageType, match="it is a list of images"):
        registry.start(repository, images)
    registry.archive(repository, image)
    with pytest.raises(ImageArchived):
        registry.start(repository, image)


def test_enhanced_scanning_refuses_scans_on_request(registry: ScanningRegistry) -> None:
    repository = registry.repository()
    image = registry.push(repository)
    registry.configure("ENHANCED")

    with pytest.raises(Validation, match=r"^This feature is disabled$"):
        registry.start(repository, image)


def test_another_tag_of_a_scanned_image_does_not_scan_it_again(
    registry: ScanningRegistry, scanner: FakeScanner
) -> None:
    repository = registry.repository(scan_on_push=True)
    image = registry.push(repository, "v1")
    registry.work()

    registry.push(repository, "v2")
    status = registry.status(repository, image)
    registry.work()

    assert status == registry.status(repository, image) == "COMPLETE"
    assert scanner.scanned == [image.digest]


# --- What is kept -----------------------------------------------------------------------------------------------


def test_many_findings_come_in_order_and_replace_the_earlier_ones(
    registry: ScanningRegistry, scanner: FakeScanner
) -> None:
    repository = registry.repository()
    image = registry.push(repository)
    scanner.findings = [finding(f"CVE-{number:04}", Severity.LOW) for number in range(600)]
    registry.start(repository, image)
    registry.work()
    assert [one.position for one in registry.findings(repository, image)] == list(range(600))

    scanner.findings = [finding("CVE-0001", Severity.CRITICAL), finding("CVE-9999", Severity.LOW)]
    registry.now += DAY
    registry.start(repository, image)
    assert registry.findings(repository, image) == [], "there are none while a scan is in progress"
    registry.work()

    found = registry.findings(repository, image)
    assert [one.finding.name for one in found] == ["CVE-0001", "CVE-9999"]
    assert [one.first_seen_at for one in found] == [registry.now - DAY, registry.now]
    assert registry.write(lambda tx: tx.one("SELECT count(*) FROM scan_finding")) == (2,)


def test_the_bill_of_materials_is_kept_as_a_referrer_and_only_once(
    registry: ScanningRegistry, scanner: FakeScanner
) -> None:
    repository = registry.repository()
    image = registry.push(repository)
    for _ in range(2):
        registry.start(repository, image)
        registry.work()
        registry.now += DAY
        scanner.sbom = b'{"bomFormat":"CycloneDX","serialNumber":"another"}'

    (kept,) = registry.referrers(image)
    assert kept.artifact_type == SBOM_TYPE
    manifest = json.loads(registry.write(lambda tx: image_rows.manifest_body(tx, kept.id)))
    assert [layer["mediaType"] for layer in manifest["layers"]] == [SBOM_TYPE]
    assert waiting(registry) == 0, "it is not scanned"


def test_another_version_of_the_scanner_replaces_the_bill_of_materials(
    registry: ScanningRegistry, scanner: FakeScanner
) -> None:
    repository = registry.repository()
    image = registry.push(repository)
    registry.start(repository, image)
    registry.work()
    (before,) = registry.referrers(image)

    registry.now += DAY
    scanner.version, scanner.sbom = "fake 2", b'{"bomFormat":"CycloneDX","version":2}'
    registry.start(repository, image)
    registry.work()

    (after,) = registry.referrers(image)
    assert after.digest != before.digest


def test_a_scan_counts_although_its_bill_of_materials_does_not_fit(make: MakeRegistry, scanner: FakeScanner) -> None:
    registry = make(scanner, Quotas(images_per_repository=1))
    repository = registry.repository(scan_on_push=True)
    image = registry.push(repository)

    registry.work()

    assert registry.status(repository, image) == "COMPLETE"
    assert registry.referrers(image) == []
    assert scanner.scanned == [image.digest]


def test_refusals_have_ecrs_names(registry: ScanningRegistry) -> None:
    repository = registry.repository()
    image = registry.push(repository)

    with pytest.raises(Refusal) as refused:
        registry.scan(repository, image)

    assert refused.value.code() == "ScanNotFoundException"
    assert str(refused.value) == (
        f"Image scan does not exist for the image with '{{imageDigest:'{image.digest}', imageTag:'null'}}' "
        "in the repository with name 'team/app' in the registry with id '000000000000'"
    )
