"""The file of the audit log: optional reads, several processes, rotation, and an unwritable path."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.api.audit.conftest import Trail
from tests.api.ecr.pushing import push
from tests.conftest import StartServer
from tests.support.aws import aws_client, docker_password
from tests.support.http_client import Docker
from tests.support.images import image
from tests.support.server import Server


def create(server: Server, *names: str) -> None:
    with aws_client(server) as ecr:
        for name in names:
            ecr.create_repository(repositoryName=name)


def read(path: Path) -> list[str]:
    records: list[dict[str, Any]] = [json.loads(line) for line in path.read_text().splitlines()]
    return [record["requestParameters"]["repositoryName"] for record in records]


def test_with_audit_reads_every_request_is_recorded(fresh_server: StartServer, tmp_path: Path) -> None:
    path = tmp_path / "elsewhere.jsonl"
    server = fresh_server(extra_args=["--audit-reads", "--audit-log", str(path)])
    create(server, "team/app")
    with aws_client(server) as ecr, aws_client(server, "sts") as sts:
        pushed = push(ecr, "team/app", image(seed=1), "v1")
        docker = Docker(server.host, server.port, docker_password(ecr))
        trail = Trail(path)
        ecr.describe_images(repositoryName="team/app")
        sts.get_caller_identity()
    name, blob = "/v2/team/app", pushed.blobs[1].digest
    docker.get(f"{name}/manifests/v1", {"Accept": pushed.manifest.media_type})
    docker.head(f"{name}/blobs/{blob}")
    docker.get(f"{name}/blobs/{blob}")
    docker.get(f"{name}/tags/list")
    docker.get(f"{name}/referrers/{pushed.manifest.digest}")
    docker.get("/v2/_catalog")
    docker.get(f"{name}/manifests/none")

    records = trail.records()

    assert [record["eventName"] for record in records] == [
        "DescribeImages",
        "GetCallerIdentity",
        "BatchGetImage",
        "BatchCheckLayerAvailability",
        "GetDownloadUrlForLayer",
        "ListImages",
        "ListImageReferrers",
        "DescribeRepositories",
        "BatchGetImage",
    ]
    assert all(record["readOnly"] for record in records)
    assert records[1]["eventSource"] == "sts.amazonaws.com"
    assert records[2]["requestParameters"] == {
        "imageIds": [{"imageTag": "v1"}],
        "acceptedMediaTypes": [pushed.manifest.media_type],
        "repositoryName": "team/app",
    }
    assert records[4]["requestParameters"] == {"layerDigest": blob, "repositoryName": "team/app"}
    assert records[-1]["errorCode"] == "ManifestNotFoundException"
    assert not (server.data / "audit.jsonl").exists()


def test_only_the_owner_can_read_the_file_and_a_renamed_file_is_replaced(fresh_server: StartServer) -> None:
    server = fresh_server(extra_args=["--workers", "2"])
    path = server.data / "audit.jsonl"
    create(server, *(f"before/{number}" for number in range(10)))
    assert path.stat().st_mode & 0o777 == 0o600

    path.rename(path.with_suffix(".1"))
    create(server, *(f"after/{number}" for number in range(10)))
    path.unlink()
    create(server, "last")

    assert read(path.with_suffix(".1")) == [f"before/{number}" for number in range(10)]
    assert read(path) == ["last"]


def test_without_an_audit_log_there_is_no_file(fresh_server: StartServer) -> None:
    server = fresh_server(extra_env={"MOORAGE_AUDIT_LOG": "none"})

    create(server, "team/app")

    assert not (server.data / "audit.jsonl").exists()
    assert not (server.data / "none").exists()


def test_a_file_that_cannot_be_written_is_reported_once_and_blocks_no_request(
    fresh_server: StartServer, tmp_path: Path
) -> None:
    path = tmp_path / "missing" / "audit.jsonl"
    server = fresh_server(extra_args=["--audit-log", str(path), "--workers", "1"])
    create(server, "one", "two")
    events = [json.loads(line) for line in server.output().splitlines() if '"audit-unwritable"' in line]

    path.parent.mkdir()
    create(server, "three")

    assert [(event["file"], event["reason"]) for event in events] == [(str(path), "No such file or directory")]
    assert read(path) == ["three"]
