"""A data folder on a full disk: pushes are rejected and pulls work. With free space, pushes work again."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.api.ecr.pushing import begin, push, send_part
from tests.faults.durability.endpoints import Endpoints, Journal, endpoints_of
from tests.faults.durability.promises import (
    check_all,
    check_p7_refused_leaves_no_trace,
    check_p8_repeating_converges,
    check_p10_bounded,
    check_p11_starts_without_a_scan,
)
from tests.support.disks import small_disk
from tests.support.images import OCI_LAYER, Blob, image
from tests.support.server import Server

MIB = 1 << 20


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server whose data folder is on a disk of 32 MiB. Its log is on another disk."""
    with small_disk(32) as disk:
        started = Server(disk / "data", log=tmp_path / "server.log")
        started.start(extra_args=["--workers", "2"])
        yield started
        started.stop()


def fill(disk: Path) -> Path:
    """A file that takes all free space. Each processor has a share of what a tmpfs counts as free."""
    filler, processors = disk / "filler", os.sched_getaffinity(0)
    try:
        with filler.open("wb", buffering=0) as file:
            for processor in (*processors, *processors):
                os.sched_setaffinity(0, {processor})
                for size in (MIB, 4096, 1):
                    with suppress(OSError):
                        while file.write(bytes(size)) == size:
                            pass
    finally:
        os.sched_setaffinity(0, processors)
    return filler


def layer_of(size: int, seed: int) -> Blob:
    return Blob(random.Random(seed).randbytes(size), OCI_LAYER)


def check_refused_at_both_endpoints(endpoints: Endpoints, repository: str) -> None:
    """Neither endpoint accepts a layer. Docker clients receive an answer that they retry."""
    blob = layer_of(2 * MIB, 9)
    started = endpoints.docker.post(f"/v2/{repository}/blobs/uploads/")
    answer = started
    if started.status == 202:
        answer = endpoints.docker.put(f"{started.headers['Location']}?digest={blob.digest}", blob.content)
    assert (answer.status, answer.error_codes()) == (503, ["UNAVAILABLE"]), answer
    assert int(answer.headers["Retry-After"]) > 0
    with pytest.raises(ClientError) as refused:
        send_part(endpoints.ecr, repository, begin(endpoints.ecr, repository), 0, blob.content)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] in {500, 503}, refused.value


def test_a_full_disk_rejects_pushes_serves_pulls_and_recovers_with_free_space(server: Server) -> None:
    journal = Journal()
    with endpoints_of(server) as endpoints:
        endpoints.ecr.create_repository(repositoryName="team/app")
        pushed = image([layer_of(3 * MIB, 1)])
        with journal.tagging("team/app", "v1", pushed.manifest):
            push(endpoints.ecr, "team/app", pushed, "v1")

        filler = fill(server.data.parent)
        for _ in range(3):
            with check_p7_refused_leaves_no_trace(endpoints):
                check_refused_at_both_endpoints(endpoints, "team/app")
        check_all(endpoints, journal)
        check_p10_bounded(server)

        filler.unlink()
        check_p8_repeating_converges(endpoints, "team/app", image([layer_of(2 * MIB, 9)]), "v2")
        check_all(endpoints, journal)


def test_a_start_without_free_space_reports_it_and_needs_only_space(server: Server) -> None:
    """A clean stop removes SQLite's write-ahead log and its index, which then cannot be created again."""
    server.stop()
    filler = fill(server.data.parent)
    with pytest.raises(AssertionError, match="exit code 1") as refused:
        server.start()
    assert "Error: " in str(refused.value)
    assert "check whether its disk is full" in str(refused.value)
    assert "Traceback" not in server.output()

    filler.unlink()
    server.start()


def test_a_crash_without_free_space_needs_no_space_to_start_again(server: Server) -> None:
    journal = Journal()
    with endpoints_of(server) as endpoints:
        endpoints.ecr.create_repository(repositoryName="team/app")
        pushed = image([layer_of(MIB, 3)])
        with journal.tagging("team/app", "v1", pushed.manifest):
            push(endpoints.ecr, "team/app", pushed, "v1")
        filler = fill(server.data.parent)

        check_p11_starts_without_a_scan(server)

        check_all(endpoints, journal)
        filler.unlink()


def test_an_upload_that_found_no_space_continues_at_its_position(server: Server) -> None:
    blob = layer_of(3 * MIB, 2)
    with endpoints_of(server) as endpoints:
        endpoints.ecr.create_repository(repositoryName="team/app")
        started = endpoints.docker.post("/v2/team/app/blobs/uploads/")
        location = started.headers["Location"]
        assert endpoints.docker.patch(location, blob.content[:MIB]).status == 202

        filler = fill(server.data.parent)
        for _ in range(2):
            refused = endpoints.docker.patch(location, blob.content[MIB:])
            assert (refused.status, refused.error_codes()) == (503, ["UNAVAILABLE"]), refused
            assert endpoints.docker.get(location).headers["Range"] == f"0-{MIB - 1}"
        filler.unlink()

        assert endpoints.docker.patch(location, blob.content[MIB:]).status == 202
        assert endpoints.docker.put(f"{location}?digest={blob.digest}").status == 201
        assert endpoints.layer("team/app", blob.digest).body == blob.content
