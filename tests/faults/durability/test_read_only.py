"""A read-only or failing disk: a start reports it. A running server rejects pushes and serves pulls."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.ecr.pushing import push
from tests.api.ecr.wire import refusal
from tests.conftest import StartServer
from tests.faults.durability.endpoints import Endpoints, endpoints_of
from tests.faults.durability.test_failing_files import check_refused, events
from tests.faults.durability.test_full_disk import check_refused_at_both_endpoints, layer_of
from tests.support.aws import aws_client
from tests.support.disks import LoopDisk, loop_disk, small_disk
from tests.support.images import Image, image
from tests.support.server import Server
from tests.support.waiting import wait_until

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


@pytest.fixture
def failing_disk() -> Iterator[LoopDisk]:
    with loop_disk("ext4", 64) as place:
        yield place


@pytest.fixture
def server(failing_disk: LoopDisk, tmp_path: Path) -> Iterator[Server]:
    """A server with one worker process and its data folder on that disk. Its log is on another one."""
    started = Server(failing_disk.place / "data", log=tmp_path / "server.log")
    started.start(extra_args=["--workers", "1"])
    yield started
    started.stop()


def check_changes_refused(endpoints: Endpoints, pushed: Image) -> None:
    """Both endpoints answer a change with their own body of a 503."""
    headers = {"Content-Type": pushed.manifest.media_type}
    check_refused(endpoints.docker.put("/v2/team/app/manifests/another", pushed.manifest.content, headers))
    refused = refusal(endpoints.ecr.create_repository, repositoryName="team/other")
    assert (refused.status, refused.code) == (503, "UnavailableException")


def check_logged_once(server: Server, processes: int) -> None:
    """No traceback, and each reason once for each process, however many requests met it."""
    assert "Traceback" not in server.output()
    assert '"fault"' not in server.output()
    assert {count for name, count in events(server).items() if name.startswith("unavailable")} <= set(
        range(1, processes + 1)
    )


def test_while_its_file_system_is_read_only_the_database_refuses_changes_and_serves_reads(
    server: Server, failing_disk: LoopDisk
) -> None:
    """The kernel makes a file system read-only when it finds an error in it. A process that starts then serves too."""
    with endpoints_of(server) as endpoints:
        endpoints.ecr.create_repository(repositoryName="team/app")
        pushed = push(endpoints.ecr, "team/app", image([layer_of(MIB, 1)]), "v1")
        failing_disk.fail()

        for _ in range(5):
            check_changes_refused(endpoints, pushed)
        check_pulls(endpoints, pushed)
        assert server.is_ready()
        assert not server.is_ready("/readyz/writing")
        check_logged_once(server, processes=1)

        (worker,) = server.workers()
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: server.workers() not in ([], [worker]) and server.is_ready())
        for _ in range(5):
            check_changes_refused(endpoints, pushed)
        check_pulls(endpoints, pushed)
    check_logged_once(server, processes=2)


def check_pulls(endpoints: Endpoints, pushed: Image) -> None:
    assert endpoints.manifest("team/app", "v1").body == pushed.manifest.content
    assert endpoints.layer("team/app", pushed.blobs[1].digest).body == pushed.blobs[1].content
    assert endpoints.tags("team/app") == ["v1"]


def test_while_its_disk_does_not_work_a_new_process_answers_that_it_is_unavailable(
    server: Server, failing_disk: LoopDisk
) -> None:
    """Every read and write fails. A worker process that starts then cannot open the database at all."""
    with endpoints_of(server) as endpoints, aws_client(server, "sts") as sts:
        endpoints.ecr.create_repository(repositoryName="team/app")
        pushed = push(endpoints.ecr, "team/app", image([layer_of(MIB, 1)]), "v1")
        failing_disk.cut()
        check_changes_refused(endpoints, pushed)

        (worker,) = server.workers()
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: server.workers() not in ([], [worker]) and server.is_ready("/healthz"))

        for _ in range(5):
            check_changes_refused(endpoints, pushed)
            check_refused(endpoints.manifest("team/app", "v1"))
            refused = refusal(sts.get_caller_identity)
            assert (refused.status, refused.code) == (503, "ServiceUnavailable")
        assert not server.is_ready()
        assert not server.is_ready("/readyz/writing")
    check_logged_once(server, processes=2)
