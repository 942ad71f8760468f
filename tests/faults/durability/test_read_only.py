"""A read-only folder: a start reports it. A running server rejects pushes, serves pulls, and recovers."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.ecr.pushing import push
from tests.conftest import StartServer
from tests.faults.durability.endpoints import endpoints_of
from tests.faults.durability.test_full_disk import check_refused_at_both_endpoints, layer_of
from tests.support.disks import small_disk
from tests.support.images import image
from tests.support.server import Server

MIB = 1 << 20


@pytest.fixture
def disk() -> Iterator[Path]:
    with small_disk(32) as place:
        yield place


def remount(disk: Path, how: str) -> None:
    """Remount the disk with `ro` or `rw`."""
    subprocess.run(["mount", "-o", f"remount,{how}", disk], check=True)


def test_a_start_on_a_read_only_folder_reports_it(disk: Path, tmp_path: Path) -> None:
    server = Server(disk / "data", log=tmp_path / "server.log")
    server.start()
    server.stop()
    remount(disk, "ro")
    with pytest.raises(AssertionError, match="exit code 1") as refused:
        server.start()
    assert "Read-only file system" in str(refused.value)
    assert "Traceback" not in server.output()

    remount(disk, "rw")
    server.start()
    server.stop()


def test_while_layers_cannot_be_written_pushes_are_rejected_and_pulls_work(
    fresh_server: StartServer, disk: Path
) -> None:
    server = fresh_server(extra_args=["--blobs", str(disk)])
    with endpoints_of(server) as endpoints:
        endpoints.ecr.create_repository(repositoryName="team/app")
        pushed = push(endpoints.ecr, "team/app", image([layer_of(MIB, 1)]), "v1")
        remount(disk, "ro")

        check_refused_at_both_endpoints(endpoints, "team/app")
        assert endpoints.manifest("team/app", "v1").body == pushed.manifest.content
        assert endpoints.layer("team/app", pushed.blobs[1].digest).body == pushed.blobs[1].content

        remount(disk, "rw")
        endpoints.docker.push("team/app", image([layer_of(MIB, 2)]), "v2")
    assert "Traceback" not in server.output()
