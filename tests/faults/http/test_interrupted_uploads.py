"""A PATCH of which the client stops to send, or disconnects: it continues behind what the server has stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.faults.durability.endpoints import Endpoints, endpoints_of
from tests.faults.http.raw import Connection, head
from tests.nodes.s3.conftest import S3Server
from tests.support.http_client import Answer
from tests.support.images import digest
from tests.support.server import Server
from tests.support.waiting import wait_until

REPOSITORY = "team/interrupted"
CONTENT = bytes(range(256)) * 40_000
"""In an object store, two parts of a multipart upload."""

FIRST = 70_000
SIZES = [1_000, 6_000_000]
"""How many further bytes arrive. In an object store, less than a part and more."""


@pytest.fixture(scope="module", params=["files", "s3"])
def endpoints(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoints]:
    """A server that waits two seconds for the next byte of a body."""
    data, settings = tmp_path_factory.mktemp("interrupted") / "data", {"MOORAGE_BODY_TIMEOUT": "2s"}
    server = Server(data)
    if request.param == "s3":
        server = S3Server(data, request.getfixturevalue("object_store"), redirect=False)
        server.serve(settings)
    else:
        server.start(extra_env=settings)
    with endpoints_of(server) as both:
        both.ecr.create_repository(repositoryName=REPOSITORY)
        yield both
    server.stop()


@pytest.fixture
def location(endpoints: Endpoints) -> str:
    """An upload whose first chunk was acknowledged."""
    location = endpoints.docker.post(f"/v2/{REPOSITORY}/blobs/uploads/").headers["Location"]
    assert send(endpoints, location, 0, FIRST).status == 202
    return str(location)


def send(endpoints: Endpoints, location: str, start: int, stop: int) -> Answer:
    """Send a chunk of CONTENT, as a client does that knows where the upload continues."""
    return endpoints.docker.patch(location, CONTENT[start:stop], {"Content-Range": f"{start}-{stop - 1}"})


def size_of(endpoints: Endpoints, location: str) -> int:
    """The size of the upload as its status shows it."""
    status = endpoints.docker.get(location)
    assert status.status == 204
    return int(status.headers["Range"].removeprefix("0-")) + 1


def with_length(body: bytes) -> tuple[dict[str, str], bytes]:
    return {"Content-Length": str(len(CONTENT) - FIRST)}, body


def in_chunks(body: bytes) -> tuple[dict[str, str], bytes]:
    """Chunks of 32 KiB without the empty one that ends a body."""
    pieces = [body[start : start + 32_768] for start in range(0, len(body), 32_768)]
    return {"Transfer-Encoding": "chunked"}, b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)


FRAMES = [with_length, in_chunks]
Frame = Callable[[bytes], tuple[dict[str, str], bytes]]


def request(endpoints: Endpoints, location: str, frame: Frame, size: int) -> bytes:
    """A PATCH without Content-Range, of which this much arrives."""
    headers, body = frame(CONTENT[FIRST : FIRST + size])
    return (
        head("PATCH", location, {"Host": "r", "Authorization": endpoints.docker.authorization or ""} | headers) + body
    )


def check_completes(endpoints: Endpoints, location: str) -> None:
    name = digest(CONTENT)
    assert endpoints.docker.put(f"{location}?digest={name}").status == 201
    assert endpoints.layer(REPOSITORY, name).body == CONTENT
    assert endpoints.docker.delete(f"/v2/{REPOSITORY}/blobs/{name}").status == 202  # The next test uploads it again.


@pytest.mark.parametrize("frame", FRAMES, ids=[frame.__name__ for frame in FRAMES])
@pytest.mark.parametrize("size", SIZES)
def test_a_client_that_paused_too_long_continues_where_it_paused(
    endpoints: Endpoints, location: str, size: int, frame: Frame
) -> None:
    with Connection(endpoints.server) as connection:
        connection.send(request(endpoints, location, frame, size))
        assert connection.first_line().split()[1] == b"408"

    assert size_of(endpoints, location) == FIRST + size
    assert send(endpoints, location, FIRST + size, len(CONTENT)).status == 202
    check_completes(endpoints, location)


@pytest.mark.parametrize("frame", FRAMES, ids=[frame.__name__ for frame in FRAMES])
@pytest.mark.parametrize("size", SIZES)
def test_a_client_that_lost_its_connection_continues_where_it_was_cut(
    endpoints: Endpoints, location: str, size: int, frame: Frame
) -> None:
    with Connection(endpoints.server) as connection:
        connection.send(request(endpoints, location, frame, size))

    wait_until(lambda: size_of(endpoints, location) == FIRST + size)
    assert send(endpoints, location, FIRST + size, len(CONTENT)).status == 202
    check_completes(endpoints, location)


@pytest.mark.parametrize("size", SIZES)
def test_a_client_that_repeats_its_request_sends_no_byte_twice(endpoints: Endpoints, location: str, size: int) -> None:
    """It does not ask for the status, as clients do that retry a request without knowing what it is."""
    with Connection(endpoints.server) as connection:
        connection.send(request(endpoints, location, in_chunks, size))
        assert connection.first_line().split()[1] == b"408"

    assert endpoints.docker.patch(location, [CONTENT[FIRST:]]).status == 202
    check_completes(endpoints, location)
