"""A client that disconnects in the middle of a body, or announces a wrong length: nothing of the body counts.

Except what arrived of a PATCH, for a client that asks for the status (`test_interrupted_uploads.py`).
"""

from __future__ import annotations

import base64
import itertools
import json
import time
from collections.abc import Callable

import pytest

from tests.api.ecr.pushing import begin, complete, send_part
from tests.api.ecr.wire import TARGET_PREFIX, Wire
from tests.faults.durability.endpoints import Endpoints
from tests.faults.durability.promises import check_p2_never_wrong_bytes, upload_size
from tests.faults.http.raw import Connection, exchange, head
from tests.support.images import digest
from tests.support.server import Server
from tests.support.waiting import PATIENCE_SECONDS

FIRST = b"acknowledged " * 10_000
REST = b"sent again whole " * 20_000

Ending = Callable[[Connection], None]
ENDINGS: dict[str, Ending] = {
    "closed": Connection.close,
    "reset": Connection.reset,
    "half closed": Connection.half_close,
}


def with_length(body: bytes, sent: int) -> tuple[dict[str, str], bytes]:
    """A body with its announced length, of which only `sent` bytes are sent."""
    return {"Content-Length": str(len(body))}, body[:sent]


def in_chunks(body: bytes, sent: int) -> tuple[dict[str, str], bytes]:
    """Chunks of 32 KiB, as docker sends them. The last one is truncated."""
    pieces = [body[start : start + 32_768] for start in range(0, len(body), 32_768)]
    wire = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return {"Transfer-Encoding": "chunked"}, wire[:sent]


def without_an_end(body: bytes, sent: int) -> tuple[dict[str, str], bytes]:
    """Complete chunks without the empty chunk that ends a body."""
    return {"Transfer-Encoding": "chunked"}, b"%x\r\n%b\r\n" % (sent, body[:sent])


def with_a_broken_chunk(body: bytes, sent: int) -> tuple[dict[str, str], bytes]:
    """A chunk that is shorter than its announced length."""
    return {"Transfer-Encoding": "chunked"}, b"%x\r\n%bXX0\r\n\r\n" % (sent, body[:sent])


FRAMES = [with_length, in_chunks, without_an_end, with_a_broken_chunk]
SENT = [0, 1_000, 200_000]


def started(endpoints: Endpoints, repository: str) -> str:
    """The path of an upload whose first part was acknowledged."""
    location = endpoints.docker.post(f"/v2/{repository}/blobs/uploads/").headers["Location"]
    assert endpoints.docker.patch(location, FIRST).status == 202
    return str(location)


def finish(endpoints: Endpoints, location: str) -> None:
    """Send the rest as if nothing had happened. The request with the broken body may hold the upload for a moment."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        answer = endpoints.docker.patch(location, REST)
        if answer.status == 202 or time.monotonic() > end:
            break
        assert answer.status == 416, answer
        assert answer.headers["Range"] == f"0-{len(FIRST) - 1}"
        time.sleep(0.02)
    assert answer.status == 202, answer
    name = digest(FIRST + REST)
    assert endpoints.docker.put(f"{location}?digest={name}").status == 201


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
@pytest.mark.parametrize("frame", FRAMES, ids=[frame.__name__ for frame in FRAMES])
def test_a_truncated_patch_can_be_repeated(
    endpoints: Endpoints, repository: str, frame: Callable[[bytes, int], tuple[dict[str, str], bytes]], ending: Ending
) -> None:
    """As a whole: what arrived does not count for a client that does not ask."""
    location = started(endpoints, repository)
    for sent in SENT:
        headers, body = frame(REST, sent)
        with Connection(endpoints.server) as connection:
            known = {"Host": "r", "Authorization": endpoints.docker.authorization or ""}
            connection.send(head("PATCH", location, known | headers) + body)
            time.sleep(0.05)
            ending(connection)

    finish(endpoints, location)
    assert endpoints.layer(repository, digest(FIRST + REST)).body == FIRST + REST


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
def test_nothing_of_a_patch_with_a_broken_chunk_is_kept(endpoints: Endpoints, repository: str, ending: Ending) -> None:
    location = started(endpoints, repository)
    known = {"Host": "r", "Authorization": endpoints.docker.authorization or ""}
    for sent in SENT[1:]:
        headers, body = with_a_broken_chunk(REST, sent)
        with Connection(endpoints.server) as connection:
            connection.send(head("PATCH", location, known | headers) + body)
            connection.first_line()
            ending(connection)

        assert upload_size(endpoints, repository, location.rpartition("/")[2]) == len(FIRST)


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
def test_a_truncated_put_does_not_complete_the_upload(endpoints: Endpoints, repository: str, ending: Ending) -> None:
    """Not even if the digest is that of the received bytes."""
    location = started(endpoints, repository)
    known = {"Host": "r", "Authorization": endpoints.docker.authorization or ""}
    for frame, sent in itertools.product([with_length, without_an_end], [1_000, 200_000]):
        headers, body = frame(REST, sent)
        target = f"{location}?digest={digest(FIRST + REST[:sent])}"
        with Connection(endpoints.server) as connection:
            connection.send(head("PUT", target, known | headers) + body)
            time.sleep(0.05)
            ending(connection)
        assert upload_size(endpoints, repository, location.rpartition("/")[2]) == len(FIRST)

    finish(endpoints, location)


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
def test_a_truncated_layer_part_is_not_received(endpoints: Endpoints, repository: str, ending: Ending) -> None:
    upload = begin(endpoints.ecr, repository)
    request = {
        "repositoryName": repository,
        "uploadId": upload,
        "partFirstByte": 0,
        "partLastByte": len(REST) - 1,
        "layerPartBlob": base64.b64encode(REST).decode(),
    }
    body = json.dumps(request).encode()
    signed = Wire(endpoints.server).signer.headers(f"{TARGET_PREFIX}UploadLayerPart", body)
    for sent in (0, 1_000, len(body) - 1):
        with Connection(endpoints.server) as connection:
            connection.send(head("POST", "/", signed | {"content-length": len(body)}) + body[:sent])
            time.sleep(0.05)
            ending(connection)

    send_part(endpoints.ecr, repository, upload, 0, REST)
    assert complete(endpoints.ecr, repository, upload, digest(REST))["layerDigest"] == digest(REST)


def test_surplus_bytes_are_not_part_of_the_body(endpoints: Endpoints, repository: str) -> None:
    """They look like a second request. A server may close such a connection without a response."""
    location = started(endpoints, repository)
    authorization = endpoints.docker.authorization or ""
    known: dict[str, str | int] = {"Host": "r", "Authorization": authorization, "Content-Length": 1_000}

    reply = exchange(endpoints.server, head("PATCH", location, known) + REST[:3_000])

    assert reply.statuses in ([202], [202, 400], [400])
    assert reply.closed
    sizes = {len(FIRST) + 1_000} if 202 in reply.statuses else {len(FIRST), len(FIRST) + 1_000}
    assert upload_size(endpoints, repository, location.rpartition("/")[2]) in sizes


@pytest.mark.parametrize(("first", "last", "sent"), [(0, 99, 50), (0, 99, 150), (1, 100, 100), (50, 99, 50)])
def test_a_wrong_content_range_does_not_change_the_upload(
    endpoints: Endpoints, repository: str, first: int, last: int, sent: int
) -> None:
    location = endpoints.docker.post(f"/v2/{repository}/blobs/uploads/").headers["Location"]

    answer = endpoints.docker.patch(location, REST[:sent], {"Content-Range": f"{first}-{last}"})

    assert answer.status in {400, 416}, answer
    assert upload_size(endpoints, repository, location.rpartition("/")[2]) == 0


def test_a_truncated_manifest_is_not_stored(endpoints: Endpoints, repository: str) -> None:
    """The received bytes are a valid manifest. Only the announced length shows that more was expected."""
    config = b"{}"
    location = endpoints.docker.post(f"/v2/{repository}/blobs/uploads/").headers["Location"]
    assert endpoints.docker.put(f"{location}?digest={digest(config)}", config).status == 201
    described = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(config), "size": 2}
    media_type = "application/vnd.oci.image.manifest.v1+json"
    body = json.dumps({"schemaVersion": 2, "mediaType": media_type, "config": described, "layers": []}).encode()
    known = {"Host": "r", "Authorization": endpoints.docker.authorization or "", "Content-Type": media_type}
    for ending in ENDINGS.values():
        with Connection(endpoints.server) as connection:
            path = f"/v2/{repository}/manifests/v1"
            connection.send(head("PUT", path, known | {"Content-Length": len(body) + 1}) + body)
            time.sleep(0.05)
            ending(connection)

    time.sleep(0.1)
    assert endpoints.manifest(repository, "v1").status == 404
    assert endpoints.image_ids(repository) == []


def test_a_client_that_disconnects_during_a_pull_affects_nothing_else(
    web: Server, endpoints: Endpoints, repository: str
) -> None:
    content = bytes(range(256)) * 32_768
    location = endpoints.docker.post(f"/v2/{repository}/blobs/uploads/").headers["Location"]
    name = digest(content)
    assert endpoints.docker.put(f"{location}?digest={name}", content).status == 201
    known = {"Host": "r", "Authorization": endpoints.docker.authorization or ""}
    for ending, extra in itertools.product(ENDINGS.values(), [{}, {"Range": "bytes=1-"}]):
        with Connection(web) as connection:
            connection.send(head("GET", f"/v2/{repository}/blobs/{name}", known | extra))
            assert connection.first_line().split()[1] in {b"200", b"206"}
            ending(connection)

    assert endpoints.layer(repository, name).body == content
    check_p2_never_wrong_bytes(endpoints)
    assert "fault" not in web.output(), web.output()
