"""A small upload has no row: its 202 survives kill -9, and after a power cut no wrong bytes become a layer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import StartServer
from tests.faults.durability.endpoints import Endpoints, crash_of_the_server, endpoints_of
from tests.support.images import digest
from tests.support.server import Server

CONTENT = b"a small layer"
REPOSITORY = "team/app"


def begun(endpoints: Endpoints) -> str:
    endpoints.ecr.create_repository(repositoryName=REPOSITORY)
    return str(endpoints.docker.post(f"/v2/{REPOSITORY}/blobs/uploads/").headers["Location"])


def crash(server: Server) -> None:
    server.kill()
    server.start()


def upload_file(server: Server, location: str) -> Path:
    return server.data / "uploads" / location.rpartition("/")[2]


def test_an_upload_and_its_first_part_survive_a_crash(fresh_server: StartServer) -> None:
    server = fresh_server()
    with endpoints_of(server) as endpoints:
        location = begun(endpoints)
        crash(server)
        assert endpoints.docker.patch(location, CONTENT).status == 202
        crash(server)

        assert endpoints.docker.get(location).headers["Range"] == f"0-{len(CONTENT) - 1}"
        assert endpoints.docker.put(f"{location}?digest={digest(CONTENT)}").status == 201
        assert endpoints.docker.get(f"/v2/{REPOSITORY}/blobs/{digest(CONTENT)}").body == CONTENT


@pytest.mark.parametrize("left", [None, 0, 5, len(CONTENT)])
def test_what_a_power_cut_leaves_of_a_first_part_is_not_taken_for_it(
    fresh_server: StartServer, left: int | None
) -> None:
    """No file, a shorter one, or one with zeros: file systems may leave each of them of bytes that were not synced."""
    server = fresh_server()
    with endpoints_of(server) as endpoints:
        location = begun(endpoints)
        assert endpoints.docker.patch(location, CONTENT).status == 202
        server.kill()
        path = upload_file(server, location)
        if left is None:
            path.unlink()
        else:
            path.write_bytes(bytes(left))
        server.start()

        refused = endpoints.docker.put(f"{location}?digest={digest(CONTENT)}")
        assert (refused.status, refused.error_codes()) == (400, ["DIGEST_INVALID"])
        again = endpoints.docker.post(f"/v2/{REPOSITORY}/blobs/uploads/?digest={digest(CONTENT)}", CONTENT)
        assert again.status == 201
        assert endpoints.docker.get(f"/v2/{REPOSITORY}/blobs/{digest(CONTENT)}").body == CONTENT


@pytest.mark.parametrize("point", ["U2", "U3", "U4", "U5", "U7", "U8", "U9", "U10", "U11"])
def test_a_small_push_that_a_crash_interrupts_can_be_completed(fresh_server: StartServer, point: str) -> None:
    server = fresh_server(extra_env={"MOORAGE_FAILPOINTS": f"{point}=kill"}, extra_args=["--workers", "1"])
    with endpoints_of(server) as endpoints:
        location = begun(endpoints)
        with crash_of_the_server():
            endpoints.docker.patch(location, CONTENT)
            endpoints.docker.put(f"{location}?digest={digest(CONTENT)}")
        server.kill()
        server.start()

        if point in {"U2", "U3"}:
            assert endpoints.docker.patch(location, CONTENT).status == 202
        assert endpoints.docker.put(f"{location}?digest={digest(CONTENT)}").status == 201
        assert endpoints.docker.get(f"/v2/{REPOSITORY}/blobs/{digest(CONTENT)}").body == CONTENT
        assert endpoints.docker.patch(location, CONTENT).status == 404, "an id is used once"
