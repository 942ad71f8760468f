"""Scans on a server whose scanner is an adapter of Harbor's API: findings in both shapes, pages, events, logins, the
commands of docs/scanning.md, and a server that is killed during a scan.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.ecr.pushing import push
from tests.api.ecr.wire import ACCOUNT, check_answers_of, refusal
from tests.conftest import StartServer
from tests.support.aws import aws_client
from tests.support.harbor_adapter import FOUND, UPDATED, Adapter, running_adapter
from tests.support.images import image
from tests.support.server import Server
from tests.support.waiting import wait_until

PAGE = (Path(__file__).parents[3] / "docs" / "scanning.md").read_text("utf-8")
ON_PUSH = {"scanOnPush": True}


@pytest.fixture(scope="module")
def adapter() -> Iterator[Adapter]:
    with running_adapter() as one:
        yield one


@pytest.fixture(scope="module")
def scanning(adapter: Adapter, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a scanner."""
    server = Server(tmp_path_factory.mktemp("scanning") / "data")
    server.start(extra_args=("--scanner", adapter.url))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def ecr(scanning: Server) -> Iterator[Any]:
    with aws_client(scanning) as client:
        yield check_answers_of(client)


def described(ecr: Any, repository: str, tag: str = "v1", **more: Any) -> Any:
    return ecr.describe_image_scan_findings(repositoryName=repository, imageId={"imageTag": tag}, **more)


def wait_for(ecr: Any, repository: str, *statuses: str, tag: str = "v1") -> Any:
    """The answer with one of these statuses."""
    wait_until(lambda: described(ecr, repository, tag)["imageScanStatus"]["status"] in statuses)
    return described(ecr, repository, tag)


def test_a_scan_on_push_ends_with_basic_findings(ecr: Any, adapter: Adapter) -> None:
    """AWS CLI reference, describe-image-scan-findings."""
    ecr.create_repository(repositoryName="tests/basic", imageScanningConfiguration=ON_PUSH)
    pushed = push(ecr, "tests/basic", image(seed=1), "v1")

    ecr.get_waiter("image_scan_complete").wait(
        repositoryName="tests/basic", imageId={"imageTag": "v1"}, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )

    answer = described(ecr, "tests/basic")
    assert answer["imageId"] == {"imageDigest": pushed.manifest.digest, "imageTag": "v1"}
    assert answer["imageScanStatus"] == {
        "status": "COMPLETE",
        "description": "The scan was completed successfully.",
    }
    found = answer["imageScanFindings"]
    assert found["findingSeverityCounts"] == {"HIGH": 1}
    assert found["vulnerabilitySourceUpdatedAt"].isoformat().startswith(UPDATED[:10])
    (finding,) = found["findings"]
    assert (finding["name"], finding["severity"]) == ("CVE-2099-0001", "HIGH")
    attributes = {one["key"]: one["value"] for one in finding["attributes"]}
    assert attributes["package_name"] == FOUND["package"]
    assert attributes["package_version"] == FOUND["version"]
    assert attributes["CVSS3_SCORE"] == "9.8"
    (detail,) = ecr.describe_images(repositoryName="tests/basic", imageIds=[{"imageTag": "v1"}])["imageDetails"]
    assert detail["imageScanStatus"]["status"] == "COMPLETE"
    assert detail["imageScanFindingsSummary"]["findingSeverityCounts"] == {"HIGH": 1}


def test_findings_come_in_pages_the_most_severe_first(ecr: Any, adapter: Adapter) -> None:
    ecr.create_repository(repositoryName="tests/pages", imageScanningConfiguration=ON_PUSH)
    kept = adapter.reports
    many = [FOUND | {"id": f"CVE-2099-{number:04}", "severity": "Low"} for number in range(120)]
    many.append(FOUND | {"id": "CVE-2099-9999", "severity": "Critical"})
    adapter.reports = [(200, json.dumps({"vulnerabilities": many}).encode())]
    push(ecr, "tests/pages", image(seed=3), "v1")
    wait_for(ecr, "tests/pages", "COMPLETE")
    adapter.reports = kept

    pages = [
        page["imageScanFindings"]["findings"]
        for page in ecr.get_paginator("describe_image_scan_findings").paginate(
            repositoryName="tests/pages", imageId={"imageTag": "v1"}, PaginationConfig={"PageSize": 50}
        )
    ]
    assert [len(page) for page in pages] == [50, 50, 21]
    names = [finding["name"] for page in pages for finding in page]
    assert names == ["CVE-2099-9999", *(f"CVE-2099-{number:04}" for number in range(120))]
    assert len(described(ecr, "tests/pages")["imageScanFindings"]["findings"]) == 100
    token = described(ecr, "tests/pages", maxResults=1)["nextToken"]
    foreign = refusal(
        ecr.describe_image_scan_findings,
        repositoryName="tests/basic",
        imageId={"imageTag": "v1"},
        nextToken=token,
    )
    assert foreign.code == "InvalidParameterException"


def test_enhanced_findings_have_the_shape_of_inspector(scanning: Server) -> None:
    """API reference, EnhancedImageScanFinding."""
    with aws_client(scanning, region="eu-west-1") as client:
        ecr = check_answers_of(client)
        rules = [
            {
                "scanFrequency": "CONTINUOUS_SCAN",
                "repositoryFilters": [{"filter": "team", "filterType": "WILDCARD"}],
            }
        ]
        ecr.put_registry_scanning_configuration(scanType="ENHANCED", rules=rules)
        ecr.create_repository(repositoryName="team/app")
        digest = push(ecr, "team/app", image(seed=4), "v1").manifest.digest

        answer = wait_for(ecr, "team/app", "ACTIVE")

    assert answer["imageScanStatus"]["description"] == "Continuous scan is selected for image."
    (finding,) = answer["imageScanFindings"]["enhancedFindings"]
    assert re.fullmatch(rf"arn:aws:inspector2:eu-west-1:{ACCOUNT}:finding/[0-9a-f]{{32}}", finding["findingArn"])
    assert {
        name: finding[name] for name in ("awsAccountId", "severity", "status", "title", "type", "fixAvailable")
    } == {
        "awsAccountId": ACCOUNT,
        "severity": "HIGH",
        "status": "ACTIVE",
        "title": "CVE-2099-0001 - libssl3",
        "type": "PACKAGE_VULNERABILITY",
        "fixAvailable": "YES",
    }
    details = finding["packageVulnerabilityDetails"]
    assert details["vulnerabilityId"] == "CVE-2099-0001"
    (package,) = details["vulnerablePackages"]
    assert (package["name"], package["version"], package["fixedInVersion"]) == (
        FOUND["package"],
        FOUND["version"],
        FOUND["fix_version"],
    )
    (resource,) = finding["resources"]
    assert resource["id"] == f"arn:aws:ecr:eu-west-1:{ACCOUNT}:repository/team/app/{digest}"
    assert resource["details"]["awsEcrContainerImage"]["imageTags"] == ["v1"]


def test_the_command_shows_the_adapter_and_its_database(scanning: Server, adapter: Adapter) -> None:
    shown = scanning.moorage("scanner", "status", "--scanner", adapter.url)
    refused = scanning.moorage_error("scanner", "update", "--scanner", adapter.url)

    fields = dict(line.split("\t") for line in shown.splitlines())
    assert (fields["scanner"], fields["problem"]) == ("Odd 1.2", "-")
    assert fields["database"].startswith(UPDATED[:10])
    assert refused == "The scanner at this URL has a vulnerability database of its own, and updates it itself."


@pytest.mark.client
def test_the_commands_of_the_page_scan_an_image(ecr: Any, scanning: Server, tmp_path: Path) -> None:
    ecr.create_repository(repositoryName="team/app")
    push(ecr, "team/app", image(seed=5), "v1")
    blocks = [block for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) if "aws ecr" in block]
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "aws").write_text(f'#!/bin/sh\nexec {sys.executable} -m awscli "$@"\n')
    (tools / "aws").chmod(0o755)
    environment = scanning.client_environment(tmp_path)
    environment["PATH"] = f"{tools}:{environment['PATH']}"

    for block in blocks:
        done = subprocess.run(["sh", "-ec", block], env=environment, capture_output=True, check=False, text=True)
        assert done.returncode == 0, done.stderr

    assert len(blocks) == 2
    assert described(ecr, "team/app")["imageScanStatus"]["status"] == "COMPLETE"
    found = ecr.get_registry_scanning_configuration()["scanningConfiguration"]
    assert found["rules"][0]["repositoryFilters"] == [{"filter": "prod", "filterType": "WILDCARD"}]


@pytest.mark.long
def test_a_scan_whose_server_is_killed_is_done_after_the_next_start(
    fresh_server: StartServer, adapter: Adapter
) -> None:
    """The lease of the job ends within a minute."""
    ready, adapter.reports = adapter.reports, [(302, b"")]
    server = fresh_server(extra_args=("--scanner", adapter.url))
    before = len(adapter.requests)
    with aws_client(server) as ecr:
        ecr.create_repository(repositoryName="team/app", imageScanningConfiguration=ON_PUSH)
        push(ecr, "team/app", image(seed=6), "v1")
        wait_until(lambda: len(adapter.requests) > before)
        assert described(ecr, "team/app")["imageScanStatus"]["status"] == "IN_PROGRESS"
    server.kill()
    adapter.reports = ready

    server.start(extra_args=("--scanner", adapter.url))

    with aws_client(server) as ecr:
        wait_for(ecr, "team/app", "COMPLETE")
    assert len(adapter.requests) == before + 2
