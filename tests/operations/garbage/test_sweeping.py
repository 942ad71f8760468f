"""What crashes and deletions leave in the store without a row, and what only looks like it."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest

from moorage.domain.units import HOUR
from tests.api.ecr.pushing import begin, push, send_part
from tests.conftest import StartServer
from tests.faults.durability.doors import crash_of_the_server, doors_of
from tests.faults.durability.promises import check_p6_garbage_goes
from tests.operations.garbage.yard import Yard
from tests.support.images import digest, image, layer

Place = Callable[[str], str]
WEEK = 7 * 24 * HOUR


def test_a_file_that_no_row_names_goes_and_one_of_an_upload_under_way_stays(yard: Yard, place: Place) -> None:
    repository, one = place("a"), image([layer(seed=301)])
    push(yard.ecr, repository, one)
    (known,) = yard.blob_files(one.blobs[1])
    upload = begin(yard.ecr, repository)
    send_part(yard.ecr, repository, upload, 0, b"grows")
    stray, committed = (known.with_name(known.name[:65] + name) for name in (str(uuid.uuid4()), upload))
    foreign = known.with_name("README")
    for path in (stray, committed, foreign):
        path.write_bytes(b"bytes")
    (yard.server.data / "uploads" / str(uuid.uuid4())).write_bytes(b"left")

    gone = [found for found in yard.collect() if found.kind.startswith("unknown")]

    assert [found.kind for found in gone] == ["unknown upload", "unknown blob"]
    assert [path.exists() for path in (known, stray, committed, foreign)] == [True, False, True, True]
    assert yard.upload_file_exists(upload)
    for path in (committed, foreign):
        path.unlink()


def test_the_uploads_of_a_deleted_repository_leave_nothing(yard: Yard, place: Place) -> None:
    repository = place("a")
    upload = begin(yard.ecr, repository)
    send_part(yard.ecr, repository, upload, 0, b"half of a layer")
    yard.ecr.delete_repository(repositoryName=repository)

    yard.collect()

    assert not yard.upload_file_exists(upload)


@pytest.mark.parametrize("point", ["U3", "U8", "U10"])
def test_nothing_stays_of_a_push_that_a_crash_ended_and_nobody_repeats(fresh_server: StartServer, point: str) -> None:
    armed = {"MOORAGE_FAILPOINTS": f"{point}=kill"}
    server = fresh_server(extra_args=["--workers", "1"], extra_env=armed)
    with doors_of(server) as doors:
        yard, content = Yard(server, doors.ecr, doors.docker), b"a layer"
        yard.ecr.create_repository(repositoryName="team/a")
        with crash_of_the_server():
            begun = yard.docker.post("/v2/team/a/blobs/uploads/").headers["Location"]
            yard.docker.patch(begun, content)
            yard.docker.put(f"{begun}?digest={digest(content)}")
        server.kill()
        server.start()

        yard.later(WEEK + HOUR)
        yard.collect(grace=0)

        check_p6_garbage_goes(server)
        assert not list((server.data / "uploads").iterdir())
