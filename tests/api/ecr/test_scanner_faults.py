"""A scanner that is missing or misbehaves: the server serves, each scan ends with a reason, and the next one works."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.ecr.pushing import push
from tests.conftest import StartServer
from tests.support.aws import aws_client
from tests.support.commands import run_here
from tests.support.databases import engine_of
from tests.support.go_clients import built_program
from tests.support.images import image
from tests.support.metrics import Monitored
from tests.support.ports import free_port
from tests.support.server import Server
from tests.support.waiting import wait_until


def start_scan(ecr: Any, repository: str, seed: int = 1) -> None:
    ecr.create_repository(repositoryName=repository)
    push(ecr, repository, image(seed=seed), "v1")
    ecr.start_image_scan(repositoryName=repository, imageId={"imageTag": "v1"})


def ended(server: Server, ecr: Any, repository: str) -> dict[str, str]:
    """The status of the scan when it has ended. The delays between attempts are left out."""
    found: dict[str, str] = {}

    def has_ended() -> bool:
        nonlocal found
        answer = ecr.describe_image_scan_findings(repositoryName=repository, imageId={"imageTag": "v1"})
        found = answer["imageScanStatus"]
        if found["status"] == "IN_PROGRESS":
            statement = "UPDATE job SET due_at = 0 WHERE kind = 'scan-image' AND lease IS NULL"
            engine_of(server.data).transact(lambda tx: tx.run(statement))
        return found["status"] != "IN_PROGRESS"

    wait_until(has_ended)
    return found


def test_a_server_whose_scanner_is_missing_says_so_once_and_serves(fresh_server: StartServer, tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    given = {"MOORAGE_SCANNER": f"grype:{missing}", "MOORAGE_SCANNER_SHA256": "0" * 64}
    port = free_port()
    server = fresh_server(extra_env=given, extra_args=["--metrics", f"127.0.0.1:{port}", "--workers", "2"])
    reason = f"The scanner cannot be started: No such file or directory ({missing})"
    wait_until(lambda: "scanner-unusable" in server.output())

    with aws_client(server) as ecr:
        start_scan(ecr, "team/app")
        failed = ended(server, ecr, "team/app")

    lines = [json.loads(line) for line in server.output().splitlines() if "scanner-unusable" in line]
    assert [line["reason"] for line in lines] == [reason]
    assert Monitored(server, port).scrape()["moorage_scanner_usable"] == {("grype sha256:" + "0" * 12,): 0}
    shown = run_here("scanner", "status", "--data", server.data, variables={**server.settings, **given})
    assert (shown.code, f"problem\t{reason}\n" in shown.out) == (3, True)
    assert failed["status"] == "FAILED"
    assert "vulnerability database" in failed["description"]


# --- Programs that misbehave ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Any]]:
    """A server whose scanner behaves as the repository's name says, and boto3's client for it."""
    folder = tmp_path_factory.mktemp("odd")
    program = folder / "odd"
    program.symlink_to(built_program("odd_scanner"))
    (folder / "db.tar.gz").write_text("any")
    server = Server(folder / "data")
    server.start(
        extra_env={
            "MOORAGE_SCANNER": f"grype:{program}",
            "MOORAGE_SCANNER_SHA256": hashlib.sha256(program.read_bytes()).hexdigest(),
            "MOORAGE_SCANNER_DATABASE": str(folder / "db.tar.gz"),
            "MOORAGE_SCANNER_DATABASE_AGE": "0",
            "MOORAGE_SCANNER_TIMEOUT": "15s",
        }
    )
    with aws_client(server) as ecr:
        yield server, ecr
    server.stop()


@pytest.mark.client
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("hanging", "The scanner did not end within 15 seconds"),
        ("killed", "The scanner was ended by signal 9"),
        ("failing", "The scanner ended with exit code 1: unable to decode layer"),
        ("nonsense", "The scanner's result is invalid"),
        ("incomplete", "The scanner's result is invalid"),
        ("endless", "The scanner's result is too large: sbom.json has more than 64 MiB"),
        ("linking", "The scanner wrote no result"),
        ("silent", "The scanner wrote no result"),
    ],
)
def test_a_scan_by_a_scanner_that_misbehaves_fails_with_a_reason_and_the_next_one_works(
    odd: tuple[Server, Any], name: str, reason: str
) -> None:
    server, ecr = odd

    start_scan(ecr, f"odd/{name}")
    failed = ended(server, ecr, f"odd/{name}")
    start_scan(ecr, f"after-{name}/fine")
    complete = ended(server, ecr, f"after-{name}/fine")

    assert failed["status"] == "FAILED"
    assert failed["description"].startswith(reason)
    assert complete["status"] == "COMPLETE"
    assert not any((server.data / "scanning" / "scans").iterdir())
