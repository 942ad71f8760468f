"""Rows of scans: statements that read no more than they return, however much is stored; and what a generation is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from moorage.domain.names import Registry, RepositoryName
from moorage.domain.scanning.findings import Finding, Package, Severity
from moorage.domain.scanning.statuses import Outcome
from moorage.metadata import jobs
from moorage.metadata.database import Transaction
from moorage.metadata.engines.engine import Engine
from moorage.metadata.registry import images, new_images, repositories
from moorage.metadata.registry.images import Image
from moorage.metadata.registry.repositories import RepositorySettings
from moorage.metadata.scanning import configurations, scans
from moorage.metadata.scanning.scans import ScanRecord, StoredFinding
from tests.contract.metadata.plans import plans_of, whole_reads

HERE = Registry("000000000000", "us-east-1")
RECORD = ScanRecord(image_id=1, scan_type="BASIC", outcome=Outcome.DONE, requested_at=5, counts={"HIGH": 2}, sbom="a")
FOUND = [
    StoredFinding(number, f"{number:032}", 7, Finding(f"CVE-{number}", Severity.HIGH, Package("zlib", "1")))
    for number in range(3)
]


STATEMENTS: list[Callable[[Transaction], object]] = [
    lambda tx: configurations.find(tx, HERE),
    lambda tx: jobs.waiting_keys(tx, "scan-image", ["1 sha256:a", "1 sha256:b"]),
    lambda tx: scans.find(tx, 1),
    lambda tx: scans.find_all(tx, [1, 2]),
    lambda tx: scans.watched(tx, 0, 10),
    scans.number_of_failed,
    lambda tx: scans.page_of_findings(tx, RECORD, 0, 10),
    lambda tx: scans.first_seen(tx, 1, 0),
    lambda tx: scans.remove_other_findings(tx, 1, 0),
    lambda tx: scans.stop_watching(tx, 1),
]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_each_statement_reads_only_what_an_index_leads_to(
    engine: Engine, statement: Callable[[Transaction], object]
) -> None:
    found = plans_of(engine, statement)

    assert found
    assert [
        step for step in whole_reads(found) if "image_scan_failed" not in step and "image_scan_watched" not in step
    ] == []


def image_of(tx: Transaction) -> int:
    repository = repositories.insert(tx, HERE, RepositoryName("team/app"), RepositorySettings(), 0)
    assert repository is not None
    new = Image(0, repository.id, "sha256:1", "type", None, None, 7, 8, 9)
    return new_images.insert(tx, new, b"{}").id


def test_a_record_is_read_as_it_was_put(engine: Engine) -> None:
    def put(tx: Transaction) -> tuple[ScanRecord | None, ScanRecord]:
        record = ScanRecord(**{name: getattr(RECORD, name) for name in RECORD.__slots__} | {"image_id": image_of(tx)})
        scans.put(tx, record)
        scans.put(tx, record)
        return scans.find(tx, record.image_id), record

    found, expected = engine.transact(put)

    assert found == expected


def test_findings_count_from_the_moment_their_generation_is_the_records(engine: Engine) -> None:
    def fill(tx: Transaction) -> list[list[str]]:
        values = {name: getattr(RECORD, name) for name in RECORD.__slots__}
        before = ScanRecord(**values | {"image_id": image_of(tx), "generation": 1})
        after = ScanRecord(**values | {"image_id": before.image_id, "generation": 2})
        scans.put(tx, before)
        scans.add_findings(tx, before.image_id, 1, FOUND[:1])
        scans.add_findings(tx, before.image_id, 2, FOUND[1:])
        seen = [[one.finding.name for one in scans.page_of_findings(tx, record, -1, 9)] for record in (before, after)]
        scans.remove_other_findings(tx, before.image_id, 2)
        return [*seen, [one.finding.name for one in scans.page_of_findings(tx, before, -1, 9)]]

    assert engine.transact(fill) == [["CVE-0"], ["CVE-1", "CVE-2"], []]


def test_findings_of_an_image_without_a_record_are_dropped(engine: Engine) -> None:
    engine.transact(lambda tx: scans.add_findings(tx, 99, 1, FOUND))

    assert engine.transact(lambda tx: tx.all("SELECT 1 FROM scan_finding")) == []


def test_an_image_takes_its_scan_and_findings_with_it(engine: Engine) -> None:
    def fill(tx: Transaction) -> None:
        values = {name: getattr(RECORD, name) for name in RECORD.__slots__}
        image_id = image_of(tx)
        scans.put(tx, ScanRecord(**values | {"image_id": image_id}))
        scans.add_findings(tx, image_id, 0, FOUND)
        images.delete(tx, image_id)

    engine.transact(fill)

    assert engine.transact(lambda tx: [tx.all("SELECT 1 FROM image_scan"), tx.all("SELECT 1 FROM scan_finding")]) == [
        [],
        [],
    ]
