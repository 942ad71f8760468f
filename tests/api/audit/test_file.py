"""The file of the audit log: optional reads, several processes, rotation, and an unwritable path."""

from __future__ import annotations

import json
import re
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.api.audit.conftest import Trail
from tests.api.ecr.pushing import push
from tests.conftest import StartServer
from tests.support.aws import aws_client, docker_password
from tests.support.http_client import Docker
from tests.support.images import image
from tests.support.ports import free_port
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


def all_names(folder: Path) -> list[str]:
    """The repositories in all records, those of rotated files first."""
    return [name for path in (*rotated(folder), folder / "audit.jsonl") for name in read(path)]


def rotated(folder: Path) -> list[Path]:
    return sorted(folder.glob("audit-*Z.jsonl"))


def test_a_file_is_rotated_at_its_size_and_no_record_is_lost(fresh_server: StartServer) -> None:
    """Several processes write at the same time; each record is in one of the files."""
    server = fresh_server(extra_args=["--workers", "2", "--audit-file-size", "4K"])
    names = [[f"team-{group}/app-{number}" for number in range(25)] for group in range(4)]

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda group: create(server, *group), names))

    assert len(rotated(server.data)) >= 10
    assert all(path.stat().st_size < 4096 + 2 * 4 * 1024 for path in rotated(server.data))
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in rotated(server.data))
    assert sorted(all_names(server.data)) == sorted(name for group in names for name in group)


def test_with_a_limit_the_oldest_files_are_removed(fresh_server: StartServer) -> None:
    server = fresh_server(extra_args=["--audit-file-size", "4K", "--audit-limit", "16K"])
    names = [f"team/app-{number:02}" for number in range(60)]

    create(server, *names)

    kept = all_names(server.data)
    assert sum(path.stat().st_size for path in server.data.glob("audit*.jsonl")) <= 17 * 1024
    assert 10 < len(kept) < 30
    assert kept == names[-len(kept) :]


def test_a_limit_without_room_for_a_rotated_file_is_refused(tmp_path: Path) -> None:
    server = Server(tmp_path / "data")

    with pytest.raises(AssertionError, match="--audit-limit removes rotated files"):
        server.start(extra_args=["--audit-limit", "100M"])


def test_a_file_that_cannot_be_renamed_keeps_all_records_and_is_reported_once(fresh_server: StartServer) -> None:
    """There is no longer name that this file system allows."""
    name = "a" * 240 + ".jsonl"
    server = fresh_server(extra_args=["--workers", "1", "--audit-log", name, "--audit-file-size", "1K"])

    create(server, *(f"team/app-{number}" for number in range(5)))

    assert read(server.data / name) == [f"team/app-{number}" for number in range(5)]
    assert server.output().count('"audit-not-rotated"') == 1


def test_a_link_is_not_renamed(fresh_server: StartServer, tmp_path: Path) -> None:
    """A link: its target belongs to another program, which rotates it."""
    target = tmp_path / "elsewhere.jsonl"
    link = tmp_path / "audit.jsonl"
    link.symlink_to(target)
    server = fresh_server(extra_args=["--audit-log", str(link), "--audit-file-size", "1K"])

    create(server, *(f"team/app-{number}" for number in range(5)))

    assert read(target) == [f"team/app-{number}" for number in range(5)]
    assert link.is_symlink()
    assert rotated(tmp_path) == []


def metrics_of(address: str) -> str:
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=60) as answer:
        return str(answer.read().decode())


def test_metrics_of_other_disks_do_not_need_the_folder_of_the_audit_log(
    fresh_server: StartServer, tmp_path: Path
) -> None:
    address = f"127.0.0.1:{free_port()}"
    fresh_server(extra_args=["--metrics", address, "--audit-log", str(tmp_path / "missing" / "audit.jsonl")])

    text = metrics_of(address)

    assert 'moorage_disk_free_bytes{content="data"}' in text
    assert 'moorage_disk_free_bytes{content="audit"}' not in text


def test_metrics_show_the_size_of_all_files(fresh_server: StartServer) -> None:
    address = f"127.0.0.1:{free_port()}"
    server = fresh_server(extra_args=["--metrics", address, "--audit-file-size", "4K"])
    create(server, *(f"team/app-{number}" for number in range(12)))

    text = metrics_of(address)

    found = dict(re.findall(r'^moorage_audit_bytes\{file="(\w+)"\} (\S+)$', text, re.MULTILINE))
    assert float(found["current"]) == (server.data / "audit.jsonl").stat().st_size
    assert float(found["rotated"]) == sum(path.stat().st_size for path in rotated(server.data)) > 8192
    assert 'moorage_disk_free_bytes{content="audit"}' in text


@pytest.mark.parametrize("folder", ["missing", "x" * 300])
def test_an_audit_log_that_cannot_be_looked_at_does_not_hide_other_disks(
    fresh_server: StartServer, tmp_path: Path, folder: str
) -> None:
    """The second folder fails as one does on a failing disk: with an error that Path.exists does not take for a no."""
    address = f"127.0.0.1:{free_port()}"
    path = tmp_path / folder / "audit.jsonl"
    server = fresh_server(extra_args=["--metrics", address, "--audit-log", str(path)])
    create(server, "one")

    with urllib.request.urlopen(f"http://{address}/metrics", timeout=60) as answer:
        text = answer.read().decode()

    assert set(re.findall(r'^moorage_disk_free_bytes\{content="(\w+)"\}', text, re.MULTILINE)) == {"data", "layers"}
