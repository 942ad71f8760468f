"""GET and HEAD of blobs: whole, in part, and of missing ones."""

from __future__ import annotations

import random

import pytest

from moorage.http.blob_response import byte_range
from tests.docker.oci.client import Client, World
from tests.support.images import digest, image

CONTENT = random.Random(1).randbytes(100_000)


@pytest.fixture
def blob(root: Client, repository: str) -> str:
    """The path of a blob."""
    return f"/v2/{repository}/blobs/{root.push_blob(repository, CONTENT)}"


def test_a_blob_is_returned_whole_with_its_headers(root: Client, blob: str) -> None:
    answer = root.get(blob)

    assert (answer.status, answer.body) == (200, CONTENT)
    assert answer.by_server
    name = digest(CONTENT)
    assert answer.headers == {
        "accept-ranges": "bytes",
        "cache-control": "private, max-age=31536000, immutable",
        "content-length": "100000",
        "content-type": "application/octet-stream",
        "docker-content-digest": name,
        "docker-distribution-api-version": "registry/2.0",
        "etag": f'"{name}"',
    }
    assert answer.details.operation == "GetDownloadUrlForLayer"


def test_a_head_returns_the_same_headers_without_the_bytes(root: Client, blob: str) -> None:
    answer, whole = root.head(blob), root.get(blob)

    assert (answer.status, answer.body, answer.by_server) == (200, b"", False)
    assert answer.headers == whole.headers


@pytest.mark.parametrize("condition", ['"{}"', 'W/"{}"', '"other", "{}"', "*"])
def test_a_client_that_has_the_blob_does_not_get_it_again(root: Client, blob: str, condition: str) -> None:
    answer = root.get(blob, {"if-none-match": condition.format(digest(CONTENT))})

    assert (answer.status, answer.body) == (304, b"")


def test_a_client_that_has_another_blob_gets_this_one(root: Client, blob: str) -> None:
    assert root.get(blob, {"if-none-match": '"other"'}).status == 200


@pytest.mark.parametrize(
    ("requested", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=10-19", 10, 19),
        ("bytes=99990-", 99_990, 99_999),
        ("bytes=0-", 0, 99_999),
        ("bytes=-5", 99_995, 99_999),
        ("bytes=-200000", 0, 99_999),
        ("bytes=99999-200000", 99_999, 99_999),
        ("Bytes = 3 - 4", 3, 4),
    ],
)
def test_a_range_is_returned_as_requested(root: Client, blob: str, requested: str, first: int, last: int) -> None:
    answer = root.get(blob, {"range": requested})

    assert answer.status == 206
    assert answer.headers["content-range"] == f"bytes {first}-{last}/100000"
    assert answer.body == CONTENT[first : last + 1]


def test_a_range_that_ends_before_it_begins_is_rejected(root: Client, blob: str) -> None:
    """RFC 9110 ignores such a range. The conformance program of the distribution-spec requires 416."""
    answer = root.get(blob, {"range": "bytes=500-0"})

    assert (answer.status, answer.headers["content-range"]) == (416, "bytes */100000")


@pytest.mark.parametrize(
    "requested",
    [
        "bytes=0-1,5-6",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=1",
        "lines=1-2",
        "bytes=1-9" + "9" * 5000,
        "²",
    ],
)
def test_several_ranges_or_an_invalid_range_return_the_whole_blob(root: Client, blob: str, requested: str) -> None:
    answer = root.get(blob, {"range": requested})

    assert (answer.status, answer.body) == (200, CONTENT)


@pytest.mark.parametrize("requested", ["bytes=100000-", "bytes=100000-100001", "bytes=-0"])
def test_a_range_beyond_the_end_is_rejected_with_the_size(root: Client, blob: str, requested: str) -> None:
    answer = root.get(blob, {"range": requested})

    assert (answer.status, answer.body) == (416, b"")
    assert answer.headers["content-range"] == "bytes */100000"


def test_a_range_of_an_older_version_returns_the_whole_blob(root: Client, blob: str) -> None:
    assert root.get(blob, {"range": "bytes=0-1", "if-range": '"older"'}).status == 200
    assert root.get(blob, {"range": "bytes=0-1", "if-range": f'"{digest(CONTENT)}"'}).status == 206


def test_a_range_does_not_change_the_response_to_head(root: Client, blob: str) -> None:
    assert root.head(blob, {"range": "bytes=0-1"}).status == 200


def test_an_empty_blob_has_no_ranges() -> None:
    assert byte_range(b"bytes=0-", 0) == range(0)
    assert byte_range(b"bytes=-1", 0) == range(0)


def test_an_empty_blob_is_a_blob(root: Client, repository: str) -> None:
    answer = root.get(f"/v2/{repository}/blobs/{root.push_blob(repository, b'')}")

    assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", "0")


def test_a_missing_blob_is_unknown(root: Client, repository: str) -> None:
    target = f"/v2/{repository}/blobs/{digest(b'absent')}"
    answer, requested = root.get(target), root.head(target)

    assert (answer.status, answer.code) == (404, "BLOB_UNKNOWN")
    assert (requested.status, requested.body) == (404, b"")


@pytest.mark.parametrize(
    "reference", ["sha256:abc", "md5:" + "0" * 32, "sha256:" + "A" * 64, "latest", "", "sha256:" + "0" * 63 + "\n"]
)
def test_an_invalid_digest_names_no_blob(root: Client, repository: str, reference: str) -> None:
    answer = root.get(f"/v2/{repository}/blobs/{reference}")

    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")


def test_knowing_a_digest_gives_no_access(world: World, root: Client, blob: str) -> None:
    """A blob is visible only where it was uploaded, mounted or referenced."""
    other = world.new_repository()
    sample = image()
    root.push(blob.partition("/blobs/")[0].removeprefix("/v2/"), sample)

    answer = root.get(f"/v2/{other}/blobs/{digest(CONTENT)}")
    requested = root.head(f"/v2/{other}/blobs/{digest(CONTENT)}")
    pushed = root.push_manifest(other, sample.manifest, "v1")

    assert (answer.status, answer.code) == (404, "BLOB_UNKNOWN")
    assert requested.status == 404
    assert (pushed.status, pushed.code) == (404, "MANIFEST_BLOB_UNKNOWN")


@pytest.mark.parametrize("size", [9, 20_000])
def test_bytes_missing_from_the_store_are_an_internal_error_and_not_a_404(
    world: World, root: Client, repository: str, size: int
) -> None:
    """A 404 would mean that the blob never existed. Small and large blobs are read in different ways."""
    content = random.Random(size).randbytes(size)
    path = f"/v2/{repository}/blobs/{root.push_blob(repository, content)}"
    files = [found for found in (world.folder / "blobs").rglob("*") if found.is_file()]
    (file,) = [found for found in files if found.read_bytes() == content]

    file.write_bytes(b"short")
    assert root.get(path).status == 500
    file.unlink()
    assert root.get(path).status == 500


def test_a_blob_has_a_digest_in_either_algorithm(root: Client, repository: str) -> None:
    name = root.push_blob(repository, CONTENT, digest(CONTENT, "sha512"))

    answer = root.get(f"/v2/{repository}/blobs/{name}")

    assert answer.body == CONTENT
    assert answer.headers["docker-content-digest"] == name


def test_a_deleted_blob_is_gone_only_from_its_repository(world: World, root: Client, repository: str) -> None:
    other = world.new_repository()
    name = root.push_blob(repository, CONTENT)
    root.push_blob(other, CONTENT)

    assert root.send("DELETE", f"/v2/{repository}/blobs/{name}").status == 202

    assert root.get(f"/v2/{repository}/blobs/{name}").status == 404
    assert root.get(f"/v2/{other}/blobs/{name}").body == CONTENT
    again = root.send("DELETE", f"/v2/{repository}/blobs/{name}")
    assert (again.status, again.code) == (404, "BLOB_UNKNOWN")


def test_a_blob_that_an_image_needs_cannot_be_deleted(root: Client, repository: str) -> None:
    pushed = image()
    root.push(repository, pushed, "v1")
    before = root.world.trace()

    answer = root.send("DELETE", f"/v2/{repository}/blobs/{pushed.blobs[0].digest}")

    assert (answer.status, answer.code) == (405, "UNSUPPORTED")
    assert root.world.trace() == before


def test_callers_who_can_only_read_or_push_cannot_delete_blobs(world: World, root: Client, repository: str) -> None:
    name = root.push_blob(repository, CONTENT)
    pusher = world.user("AmazonEC2ContainerRegistryPowerUser")

    answer = pusher.send("DELETE", f"/v2/{repository}/blobs/{name}")

    assert (answer.status, answer.code) == (403, "DENIED")
    assert root.get(f"/v2/{repository}/blobs/{name}").status == 200
