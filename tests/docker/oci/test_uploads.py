"""Uploads: at once, streamed, in chunks, by a mount; truncated, out of order, cancelled."""

from __future__ import annotations

import os
import re

import pytest

from moorage.core.registry.layers import FINISHED_LIFE
from moorage.domain.identity.managed_policies import MANAGED_POLICIES
from moorage.domain.units import SECOND
from moorage.http.bodies import ClientGone
from tests.docker.oci.client import DISCONNECT, Answer, Client, World, piece
from tests.support.images import digest, image
from tests.support.policies import allowing

CONTENT = bytes(range(256)) * 40
LOCATION = re.compile(r"/v2/(.+)/blobs/uploads/([0-9a-f-]{36})")


def begin(client: Client, repository: str) -> str:
    return client.send("POST", f"/v2/{repository}/blobs/uploads/").headers["location"]


def chunk(client: Client, location: str, first: int, content: bytes) -> Answer:
    headers = {"content-range": f"{first}-{first + len(content) - 1}"}
    return client.send("PATCH", location, content, headers)


def test_an_upload_begins_with_a_location(root: Client, repository: str) -> None:
    answer = root.send("POST", f"/v2/{repository}/blobs/uploads/")

    found = LOCATION.fullmatch(answer.headers["location"])
    assert found is not None
    assert (answer.status, answer.body, found[1]) == (202, b"", repository)
    assert answer.headers["docker-upload-uuid"] == found[2]
    assert answer.headers["range"] == "0-0"
    assert answer.headers["content-length"] == "0"


def test_post_and_put_upload_a_blob(root: Client, repository: str) -> None:
    answer = root.send("PUT", f"{begin(root, repository)}?digest={digest(CONTENT)}", CONTENT)

    target = f"/v2/{repository}/blobs/{digest(CONTENT)}"
    assert answer.status == 201
    assert answer.headers["location"] == target
    assert answer.headers["docker-content-digest"] == digest(CONTENT)
    assert root.get(target).body == CONTENT


def test_one_post_uploads_a_blob(root: Client, repository: str) -> None:
    answer = root.send("POST", f"/v2/{repository}/blobs/uploads/?digest={digest(CONTENT)}", CONTENT)

    assert answer.status == 201
    assert root.get(answer.headers["location"]).body == CONTENT


def test_one_post_without_a_body_uploads_the_empty_blob(root: Client, repository: str) -> None:
    answer = root.send("POST", f"/v2/{repository}/blobs/uploads/?digest={digest(b'')}")

    assert answer.status == 201
    assert root.get(answer.headers["location"]).body == b""


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_stream_without_ranges_or_length_uploads_a_blob(root: Client, repository: str, algorithm: str) -> None:
    name = digest(CONTENT * 2, algorithm)
    location = root.send("POST", f"/v2/{repository}/blobs/uploads/?digest-algorithm={algorithm}").headers["location"]

    streamed = root.send("PATCH", location, [piece(CONTENT[:100]), piece(CONTENT[100:]), piece(b"", more=False)])
    further = root.send("PATCH", location, [piece(CONTENT, more=False)])
    answer = root.send("PUT", f"{location}?digest={name}")

    assert (streamed.status, streamed.headers["range"]) == (202, f"0-{len(CONTENT) - 1}")
    assert streamed.headers["location"] == location
    assert further.headers["range"] == f"0-{2 * len(CONTENT) - 1}"
    assert answer.status == 201
    assert root.get(f"/v2/{repository}/blobs/{name}").body == CONTENT * 2


def test_chunks_in_order_upload_a_blob_and_the_put_may_have_the_last_one(root: Client, repository: str) -> None:
    location = begin(root, repository)

    for first in (0, 4000):
        assert chunk(root, location, first, CONTENT[first : first + 4000]).status == 202
    status = root.get(location)
    last = {"content-range": f"8000-{len(CONTENT) - 1}"}
    answer = root.send("PUT", f"{location}?digest={digest(CONTENT)}", CONTENT[8000:], last)

    assert (status.status, status.headers["range"], status.headers["location"]) == (204, "0-7999", location)
    assert answer.status == 201
    assert root.get(f"/v2/{repository}/blobs/{digest(CONTENT)}").body == CONTENT


@pytest.mark.parametrize("first", [0, 99, 101, 10**15])
@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_a_chunk_out_of_order_is_rejected_with_the_next_position(
    root: Client, repository: str, method: str, first: int
) -> None:
    """For example a chunk that is sent again after its response was lost. Its body is not read."""
    location = begin(root, repository)
    chunk(root, location, 0, CONTENT[:100])
    before = root.world.trace()

    headers = {"content-range": f"{first}-{first + 9}", "content-length": "10"}
    answer = root.send(method, f"{location}?digest={digest(CONTENT)}", [], headers)

    assert (answer.status, answer.code) == (416, "BLOB_UPLOAD_INVALID")
    assert answer.headers["range"] == "0-99"
    assert f"First byte of the layer part is {first} instead of 100" in answer.body.decode()
    assert root.world.trace() == before


@pytest.mark.parametrize("value", ["bytes 0-9/10", "0", "-", "9-0", "a-b", "0-9/10", "", "0-" + "9" * 5000])
def test_an_invalid_content_range_is_rejected(root: Client, repository: str, value: str) -> None:
    answer = root.send("PATCH", begin(root, repository), CONTENT[:10], {"content-range": value})

    assert (answer.status, answer.code, answer.headers["range"]) == (416, "BLOB_UPLOAD_INVALID", "0-0")


def test_a_length_that_differs_from_the_range_is_rejected(root: Client, repository: str) -> None:
    answer = root.send("PATCH", begin(root, repository), CONTENT[:10], {"content-range": "0-10"})

    assert (answer.status, answer.code) == (400, "SIZE_INVALID")


@pytest.mark.parametrize("sent", [b"", CONTENT[:9], CONTENT[:11]])
def test_a_stream_that_differs_from_its_range_does_not_change_the_upload(
    root: Client, repository: str, sent: bytes
) -> None:
    location = begin(root, repository)
    body = [piece(sent[:5]), piece(sent[5:], more=False)]

    answer = root.send("PATCH", location, body, {"content-range": "0-9"})

    assert (answer.status, answer.code) == (400, "SIZE_INVALID")
    assert root.get(location).headers["range"] == "0-0"
    assert chunk(root, location, 0, CONTENT[:10]).headers["range"] == "0-9"


@pytest.fixture
def unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Uploads cannot be read, so their digests must be computed while they arrive."""

    def fail(*_: object) -> int:
        raise OSError("read")

    monkeypatch.setattr(os, "preadv", fail)


@pytest.mark.usefixtures("unreadable")
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_an_announced_algorithm_is_computed_while_chunks_arrive(root: Client, repository: str, algorithm: str) -> None:
    location = root.send("POST", f"/v2/{repository}/blobs/uploads/?digest-algorithm={algorithm}").headers["location"]
    name = digest(CONTENT * 2, algorithm)

    chunk(root, location, 0, CONTENT)
    chunk(root, location, len(CONTENT), CONTENT)

    assert root.send("PUT", f"{location}?digest={name}").status == 201
    assert root.get(f"/v2/{repository}/blobs/{name}").body == CONTENT * 2


@pytest.mark.usefixtures("unreadable")
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_the_algorithm_of_a_request_with_the_whole_blob_need_not_be_announced(
    root: Client, repository: str, algorithm: str
) -> None:
    name = digest(CONTENT, algorithm)

    assert root.send("PUT", f"{begin(root, repository)}?digest={name}", CONTENT).status == 201
    other = root.world.new_repository()
    assert root.send("POST", f"/v2/{other}/blobs/uploads/?digest={name}", CONTENT).status == 201


@pytest.mark.parametrize(("announced", "used"), [("sha256", "sha512"), ("sha512", "sha256")])
def test_another_algorithm_than_the_announced_one_can_be_used(
    root: Client, repository: str, announced: str, used: str
) -> None:
    location = root.send("POST", f"/v2/{repository}/blobs/uploads/?digest-algorithm={announced}").headers["location"]
    name = digest(CONTENT, used)
    chunk(root, location, 0, CONTENT)

    assert root.send("PUT", f"{location}?digest={name}").status == 201
    assert root.get(f"/v2/{repository}/blobs/{name}").body == CONTENT


def test_an_empty_patch_changes_nothing(root: Client, repository: str) -> None:
    location = begin(root, repository)
    chunk(root, location, 0, CONTENT)
    before = root.world.trace()

    announced = root.send("PATCH", location, b"")
    streamed = root.send("PATCH", location, [piece(b"", more=False)])

    assert announced.headers["range"] == streamed.headers["range"] == f"0-{len(CONTENT) - 1}"
    assert root.world.trace() == before


@pytest.mark.parametrize("size", [100, 300_000])
def test_a_truncated_put_does_not_change_the_upload(root: Client, repository: str, size: int) -> None:
    location = begin(root, repository)
    chunk(root, location, 0, CONTENT[:9])
    chunk(root, location, 9, CONTENT[9:])
    before = root.world.trace()

    with pytest.raises(ClientGone):
        root.send("PUT", f"{location}?digest={digest(CONTENT)}", [piece(b"x" * size), DISCONNECT])

    assert root.world.trace() == before
    assert root.send("PUT", f"{location}?digest={digest(CONTENT)}").status == 201


def test_a_truncated_post_leaves_nothing(root: Client, repository: str) -> None:
    """The client does not know where it could continue."""
    before = root.world.trace()

    with pytest.raises(ClientGone):
        root.send("POST", f"/v2/{repository}/blobs/uploads/?digest={digest(CONTENT)}", [piece(CONTENT[:9]), DISCONNECT])

    assert root.world.trace() == before


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_a_stalled_body_ends_the_request(root: Client, repository: str, method: str) -> None:
    answer = root.send(method, f"{begin(root, repository)}?digest={digest(CONTENT)}", [piece(b"x")], stall=True)

    assert (answer.status, answer.code, answer.headers["connection"]) == (408, "SIZE_INVALID", "close")


def test_bytes_of_another_digest_end_the_upload(root: Client, repository: str) -> None:
    before = root.world.trace()
    location = begin(root, repository)

    answer = root.send("PUT", f"{location}?digest={digest(b'other')}", CONTENT)
    again = root.send("PUT", f"{location}?digest={digest(CONTENT)}", CONTENT)

    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")
    assert (again.status, again.code) == (404, "BLOB_UPLOAD_UNKNOWN")
    assert root.world.trace() == before


@pytest.mark.parametrize(
    "query", ["", "?digest=", "?digest=sha256:abc", f"?digest=md5:{'0' * 32}", f"?digest=sha256:{'A' * 64}"]
)
def test_a_put_without_a_digest_fails_and_does_not_end_the_upload(root: Client, repository: str, query: str) -> None:
    location = begin(root, repository)

    answer = root.send("PUT", f"{location}{query}", CONTENT)

    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")
    assert root.send("PUT", f"{location}?digest={digest(CONTENT)}", CONTENT).status == 201


@pytest.mark.parametrize("query", ["digest=sha256:abc", "digest=", "digest-algorithm=md5"])
def test_a_post_with_an_invalid_digest_is_rejected(root: Client, repository: str, query: str) -> None:
    before = root.world.trace()

    answer = root.send("POST", f"/v2/{repository}/blobs/uploads/?{query}", CONTENT)

    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")
    assert root.world.trace() == before


def test_an_existing_blob_can_be_uploaded_again(root: Client, repository: str) -> None:
    root.push_blob(repository, CONTENT)
    before = root.world.trace()

    assert root.send("PUT", f"{begin(root, repository)}?digest={digest(CONTENT)}", CONTENT).status == 201
    assert root.world.trace() == before


def test_a_repeated_last_request_gets_the_same_response(root: Client, repository: str) -> None:
    location = begin(root, repository)
    first = root.send("PUT", f"{location}?digest={digest(CONTENT)}", CONTENT)

    again = root.send("PUT", f"{location}?digest={digest(CONTENT)}")

    assert (again.status, again.headers) == (first.status, first.headers)
    assert again.status == 201


def test_a_completed_upload_accepts_no_other_request(world: World, root: Client, repository: str) -> None:
    location = begin(root, repository)
    root.send("PUT", f"{location}?digest={digest(CONTENT)}", CONTENT)
    stranger = world.user("AmazonEC2ContainerRegistryPowerUser")

    answers = [
        root.send("PUT", f"{location}?digest={digest(b'other')}"),
        stranger.send("PUT", f"{location}?digest={digest(CONTENT)}"),
        root.send("PATCH", location, CONTENT),
        root.get(location),
    ]
    world.offset += FINISHED_LIFE + SECOND
    root.send("PUT", f"{begin(root, repository)}?digest={digest(b'another')}", b"another")
    answers.append(root.send("PUT", f"{location}?digest={digest(CONTENT)}"))

    assert [(answer.status, answer.code) for answer in answers] == [(404, "BLOB_UPLOAD_UNKNOWN")] * 5


def test_a_cancelled_upload_leaves_nothing(root: Client, repository: str) -> None:
    before = root.world.trace()
    location = begin(root, repository)
    chunk(root, location, 0, CONTENT)

    answer = root.send("DELETE", location)

    assert (answer.status, answer.body) == (204, b"")
    assert root.world.trace() == before
    assert root.get(location).code == "BLOB_UPLOAD_UNKNOWN"


@pytest.mark.parametrize("method", ["GET", "PATCH", "PUT", "DELETE"])
@pytest.mark.parametrize("upload", ["00000000-0000-4000-8000-000000000000", "..", "x" * 300])
def test_a_missing_upload_is_unknown(root: Client, repository: str, method: str, upload: str) -> None:
    answer = root.send(method, f"/v2/{repository}/blobs/uploads/{upload}?digest={digest(CONTENT)}", CONTENT)

    assert (answer.status, answer.code) == (404, "BLOB_UPLOAD_UNKNOWN")


def test_an_upload_belongs_to_its_repository_and_its_user(world: World, root: Client, repository: str) -> None:
    location = begin(root, repository)
    other = world.new_repository()
    colleague = world.user("AmazonEC2ContainerRegistryPowerUser")

    elsewhere = root.get(location.replace(repository, other))
    somebody_else = colleague.send("PATCH", location, CONTENT)

    assert (elsewhere.status, elsewhere.code) == (404, "BLOB_UPLOAD_UNKNOWN")
    assert (somebody_else.status, somebody_else.code) == (404, "BLOB_UPLOAD_UNKNOWN")
    assert root.get(location).headers["range"] == "0-0"


# --- Mounting ---------------------------------------------------------------------------------------------------


def test_a_caller_who_can_only_begin_uploads_cannot_upload_in_one_request(
    world: World, repository: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One request with all steps needs the permissions of all steps."""
    monkeypatch.setitem(MANAGED_POLICIES, "StartOnly", allowing("ecr:InitiateLayerUpload"))
    starter = world.user("StartOnly")

    answer = starter.send("POST", f"/v2/{repository}/blobs/uploads/?digest={digest(CONTENT)}", CONTENT)

    assert (answer.status, answer.code) == (403, "DENIED")
    assert "ecr:UploadLayerPart" in answer.body.decode()


def test_an_upload_of_chunks_continues_after_a_restart(world: World, root: Client, repository: str) -> None:
    """The state of an upload is in the database and the files, not in a process."""
    location = begin(root, repository)
    chunk(root, location, 0, CONTENT[:5000])
    world.forget()

    chunk(root, location, 5000, CONTENT[5000:])
    answer = root.send("PUT", f"{location}?digest={digest(CONTENT)}")

    assert answer.status == 201
    assert root.get(f"/v2/{repository}/blobs/{digest(CONTENT)}").body == CONTENT


def test_layers_at_the_registry_endpoint_may_be_small(root: Client, repository: str) -> None:
    """The API's minimum size of parts is not part of the distribution protocol."""
    location = begin(root, repository)
    for first in range(0, 50, 10):
        chunk(root, location, first, CONTENT[first : first + 10])

    assert root.send("PUT", f"{location}?digest={digest(CONTENT[:50])}").status == 201
    assert root.push(repository, image(), "v1").status == 201
