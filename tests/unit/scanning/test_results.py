"""Results of scans as they are stored: sorted, counted, bounded; and the attributes of basic findings."""

from __future__ import annotations

import msgspec

from moorage.domain.scanning.findings import Cvss, Finding, Package, Severity
from moorage.domain.scanning.results import FINDINGS_LIMIT, Results, attributes, main_score, results_of

ARN, DIGEST = "arn:aws:ecr:us-east-1:000000000000:repository/team/app", "sha256:" + "a" * 64


def finding(name: str = "CVE-2099-0001", severity: Severity = Severity.HIGH, package: str = "openssl") -> Finding:
    return Finding(name, severity, Package(package, "3.0.11"))


def results(*found: Finding) -> Results:
    return results_of(found, ARN, DIGEST)


def test_the_most_severe_findings_come_first_and_zeros_are_not_counted() -> None:
    found = results(
        finding("CVE-3", Severity.UNDEFINED),
        finding("CVE-2", Severity.CRITICAL),
        finding("CVE-1", Severity.MEDIUM),
        finding("CVE-0", Severity.MEDIUM),
    )

    assert [one.name for one in found.findings.values()] == ["CVE-2", "CVE-0", "CVE-1", "CVE-3"]
    assert found.counts == {"CRITICAL": 1, "MEDIUM": 2, "UNDEFINED": 1}
    assert found.left_out == 0


def test_a_finding_that_is_reported_twice_counts_once() -> None:
    found = results(finding(), finding(), finding(package="libssl3"))

    assert found.counts == {"HIGH": 2}
    assert len(found.findings) == 2


def test_ids_stay_the_same_and_depend_on_image_vulnerability_and_package() -> None:
    same = [*results(finding()).findings, *results(finding()).findings]
    others = [
        *results(finding("CVE-2")).findings,
        *results(finding(package="zlib")).findings,
        *results_of([finding()], ARN, "sha256:" + "b" * 64).findings,
        *results_of([finding()], ARN + "-2", DIGEST).findings,
    ]

    assert same[0] == same[1]
    assert len({same[0], *others}) == 5
    assert all(len(one) == 32 and int(one, 16) >= 0 for one in others)


def test_the_number_of_findings_is_bounded_and_the_least_severe_are_left_out() -> None:
    many = [finding(f"CVE-{number:06}", Severity.LOW) for number in range(FINDINGS_LIMIT + 5)]

    found = results(*many, finding("CVE-9", Severity.CRITICAL))

    assert len(found.findings) == FINDINGS_LIMIT
    assert next(iter(found.findings.values())).name == "CVE-9"
    assert found.left_out == 6
    assert found.counts == {"CRITICAL": 1, "LOW": FINDINGS_LIMIT + 5}


def test_the_bytes_of_findings_are_bounded() -> None:
    text = "x" * 100_000
    many = [
        msgspec.structs.replace(finding(f"CVE-{number}"), description=text, references=(text,) * 1000)
        for number in range(3_000)
    ]

    found = results(*many)

    assert 0 < sum(len(msgspec.json.encode(one)) for one in found.findings.values()) <= 32 << 20
    assert found.left_out > 0
    longest = max(len(msgspec.json.encode(one)) for one in found.findings.values())
    assert longest < 64 << 10


def test_basic_attributes_have_the_package_and_one_score_of_each_version() -> None:
    scores = (
        Cvss("3.1", "CVSS:3.1/AV:N", 9.8, "nvd"),
        Cvss("3.0", "CVSS:3.0/AV:L", 5.0, "vendor"),
        Cvss("2.0", "AV:N/AC:L", 7.5),
    )

    assert attributes(msgspec.structs.replace(finding(), cvss=scores)) == {
        "package_version": "3.0.11",
        "package_name": "openssl",
        "CVSS3_VECTOR": "CVSS:3.1/AV:N",
        "CVSS3_SCORE": "9.8",
        "CVSS2_VECTOR": "AV:N/AC:L",
        "CVSS2_SCORE": "7.5",
    }


def test_the_main_score_is_the_highest_one_of_the_newest_version() -> None:
    scores = (Cvss("2.0", "a", 10.0), Cvss("3.1", "b", 5.0), Cvss("3.1", "c", 7.0))

    assert main_score(msgspec.structs.replace(finding(), cvss=scores)) == scores[2]
    assert main_score(finding()) is None
