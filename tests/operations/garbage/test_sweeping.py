"""Bytes without a row that crashes and deletions leave in the store, and files that only look like it."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest

from moorage.domain.units import HOUR
from tests.api.ecr.pushing import begin, push, send_part, send_two_bytes
from tests.conftest import StartServer
from tests.faults.durability.endpoints import crash_of_the_server, endpoints_of
from tests.faults.durability.promises import check_p6_garbage_goes
from tests.operations.garbage.registry import GarbageRegistry
from tests.support.images import digest, image, layer

NewRepository = Callable[[str], str]
WEEK = 7 * 24 * HOUR


def test_a_file_without_a_row_is_removed_and_a_file_of_an_upload_stays(
    registry: GarbageRegistry, new_repository: NewRepository
) -> None:
    repository, pushed = new_repository("a"), image([layer(seed=301)])
    push(registry.ecr, repository, pushed)
    (known,) = registry.blob_files(pushed.blobs[1])
    upload = begin(registry.ecr, repository)
    send_two_bytes(registry.ecr, repository, upload)
    stray, committed = (known.with_name(known.name[:65] + name) for name in (str(uuid.uuid4()), upload))
    foreign = known.with_name("README")
    for path in (stray, committed, foreign):
        path.write_bytes(b"bytes")
    (registry.server.data / "uploads" / str(uuid.uuid4())).write_bytes(b"left")

    listed = registry.run("collect", "--dry-run")
    assert stray.exists()
    assert listed.out.count("unknown ") >= 2, listed
    gone = [found for found in registry.collect() if found.kind.startswith("unknown")]

    assert [(found.kind, found.size) for found in gone] == [("unknown upload", 0), ("unknown blob", 5)]
    assert [path.exists() for path in (known, stray, committed, foreign)] == [True, False, True, True]
    assert registry.upload_file_exists(upload)
    for path in (committed, foreign):
        path.unlink()


def test_uploads_of_a_deleted_repository_leave_nothing(
    registry: GarbageRegistry, new_repository: NewRepository
) -> None:
    repository = new_repository("a")
    upload = begin(registry.ecr, repository)
    send_part(registry.ecr, repository, upload, 0, b"half of a layer")
    registry.ecr.delete_repository(repositoryName=repository)

    registry.later(3 * HOUR)
    registry.collect()

    assert not registry.upload_file_exists(upload)


@pytest.mark.parametrize("point", ["U3", "U8", "U10"])
def test_a_push_that_a_crash_ended_leaves_nothing(fresh_server: StartServer, point: str) -> None:
    armed = {"MOORAGE_FAILPOINTS": f"{point}=kill"}
    server = fresh_server(extra_args=["--workers", "1"], extra_env=armed)
    with endpoints_of(server) as endpoints:
        registry, content = GarbageRegistry(server, endpoints.ecr, endpoints.docker), b"a layer"
        registry.ecr.create_repository(repositoryName="team/a")
        with crash_of_the_server():
            begun = registry.docker.post("/v2/team/a/blobs/uploads/").headers["Location"]
            registry.docker.patch(begun, content)
            registry.docker.put(f"{begun}?digest={digest(content)}")
        server.kill()
        server.start()

        registry.later(WEEK + HOUR)
        registry.collect(grace=0)

        check_p6_garbage_goes(server)
        assert not list((server.data / "uploads").iterdir())
