"""The largest responses that a caller who may push can cause: each is bounded in bytes, and lists go on in pages.

docs/decisions/0030-bounded-responses.md has the bounds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from moorage.domain.names import Registry
from moorage.domain.registry.manifests import MANIFEST_LIMIT
from moorage.metadata.database import Transaction
from moorage.metadata.registry import images, new_images, repositories
from tests.api.ecr.pushing import push
from tests.api.ecr.wire import ACCOUNT, Wire
from tests.support.aws import aws_client, docker_password
from tests.support.databases import engine_of
from tests.support.http_client import Docker
from tests.support.images import Image, image
from tests.support.server import Server

pytestmark = pytest.mark.timeout(300)

REPOSITORY = "sizes/app"
LARGE = 12
"""Images with 4 MB of annotations each; all but the first refer to the first."""

PADDING = "x" * (MANIFEST_LIMIT - 20_000)

RESPONSE_LIMIT = 2 * (16 << 20) + (1 << 20)
"""A manifest of line breaks becomes twice as long as a text of JSON."""

MEMORY = 200 << 20
"""Bytes by which any of these responses can increase the memory of the server."""


class Filled(NamedTuple):
    """A server with images of the largest size, and clients of its endpoints."""

    server: Server
    wire: Wire
    oci: Docker
    digests: list[str]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    server = Server(tmp_path_factory.mktemp("sizes") / "data")
    server.start(extra_args=["--workers", "1"])
    with aws_client(server, "ecr") as ecr:
        ecr.create_repository(repositoryName=REPOSITORY)
        subject = push(ecr, REPOSITORY, _large(0), *(f"tag-{number}" for number in range(8)))
        more = {"subject": subject.manifest.descriptor}
        digests = [push(ecr, REPOSITORY, _large(number, **more)).manifest.digest for number in range(1, LARGE)]
        docker = Docker(server.host, server.port, docker_password(ecr))
    wire = Wire(server)
    yield Filled(server, wire, docker, [subject.manifest.digest, *digests])
    wire.close()
    server.stop()


def _large(number: int, **more: Any) -> Image:
    return image(extra={"annotations": {"number": str(number), "padding": PADDING}, **more})


def pages(call: Callable[[dict[str, Any]], Any], member: str) -> list[list[Any]]:
    """The rows of each page."""
    found, token = [], None
    while True:
        answer = call({"nextToken": token} if token else {})
        found.append(answer[member])
        token = answer.get("nextToken")
        if token is None:
            return found


def rows(filled: Filled, operation: str, **request: Any) -> Callable[[dict[str, Any]], Any]:
    def call(more: dict[str, Any]) -> Any:
        answer = filled.wire.call(operation, {"repositoryName": REPOSITORY, **request, **more})
        assert answer.status == 200, answer.body[:500]
        assert len(answer.body) <= RESPONSE_LIMIT
        return json.loads(answer.body)

    return call


def largest_batch(filled: Filled) -> None:
    """Every image in every way: once for each tag, and each identifier many times."""
    identifiers: list[dict[str, str]] = [{"imageDigest": digest} for digest in filled.digests]
    request = {"repositoryName": REPOSITORY, "imageIds": (identifiers * 100)[:100]}

    answer = filled.wire.call("BatchGetImage", request)

    assert answer.status == 400
    assert json.loads(answer.body)["__type"] == "LimitExceededException"


def repeated_identifiers(filled: Filled) -> None:
    call = rows(filled, "BatchGetImage", imageIds=[{"imageTag": "tag-1"}] * 100)
    assert [found["imageId"]["imageTag"] for found in call({})["images"]] == ["tag-1"]


def three_images(filled: Filled) -> None:
    """As many images as fit."""
    call = rows(filled, "BatchGetImage", imageIds=[{"imageDigest": digest} for digest in filled.digests[1:4]])
    assert len(call({})["images"]) == 3


def referrers(filled: Filled) -> None:
    subject = {"imageDigest": filled.digests[0]}
    listed = pages(rows(filled, "ListImageReferrers", subjectId=subject, maxResults=50), "referrers")
    assert [row["digest"] for page in listed for row in page] == filled.digests[1:]
    assert {row["annotations"]["padding"] for page in listed for row in page} == {PADDING}
    assert len(listed) == LARGE - 1


def referrers_at_the_registry_endpoint(filled: Filled) -> None:
    target: str | None = f"/v2/{REPOSITORY}/referrers/{filled.digests[0]}"
    listed: list[str] = []
    while target is not None:
        answer = filled.oci.get(target)
        assert len(answer.body) <= MANIFEST_LIMIT
        listed += [entry["digest"] for entry in answer.json()["manifests"]]
        target = answer.headers["link"].partition(">")[0].lstrip("<") if "link" in answer.headers else None
    assert listed == filled.digests[1:]


def referrers_tag(filled: Filled) -> None:
    answer = filled.oci.get(f"/v2/{REPOSITORY}/manifests/{filled.digests[0].replace(':', '-')}")
    assert answer.status == 200
    assert len(answer.body) <= MANIFEST_LIMIT


def descriptions(filled: Filled) -> None:
    call = rows(filled, "DescribeImages", maxResults=1000)
    assert [row["imageDigest"] for page in pages(call, "imageDetails") for row in page] == filled.digests


def identifiers(filled: Filled) -> None:
    call = rows(filled, "ListImages", maxResults=1000)
    assert len([row for page in pages(call, "imageIds") for row in page]) == LARGE - 1 + 8


LARGEST = [
    largest_batch,
    repeated_identifiers,
    three_images,
    referrers,
    referrers_at_the_registry_endpoint,
    referrers_tag,
    descriptions,
    identifiers,
]


@pytest.mark.parametrize("request_it", LARGEST, ids=lambda request_it: request_it.__name__)
def test_the_largest_responses_are_bounded(filled: Filled, request_it: Callable[[Filled], None]) -> None:
    (worker,) = filled.server.workers()
    before = _memory(worker, "VmRSS")
    Path(f"/proc/{worker}/clear_refs").write_text("5", "ascii")  # the peak starts anew: proc(5)

    request_it(filled)

    assert _memory(worker, "VmHWM") - before <= MEMORY


def _memory(process: int, name: str) -> int:
    lines = Path(f"/proc/{process}/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(name))


def test_a_page_of_images_ends_where_their_tags_become_too_many(filled: Filled) -> None:
    """Images with 1,000 tags of 128 characters each: a page of 1,000 images would have 140 MB."""
    name, count = "sizes/tags", 25
    filled.wire.call("CreateRepository", {"repositoryName": name})

    def fill(tx: Transaction) -> None:
        repository = repositories.find(tx, Registry(ACCOUNT, "us-east-1"), name)
        assert repository is not None
        for number in range(count):
            row = images.Image(0, repository.id, f"sha256:{number:064}", "type", None, None, 1, 1, number)
            image_id = new_images.insert(tx, row, b"{}").id
            for tag in range(1000):
                images.add_tag(tx, repository.id, f"{number}-{tag}-".ljust(128, "x"), image_id, 1)

    engine_of(filled.server.data).transact(fill)

    listed = pages(rows(filled, "DescribeImages", repositoryName=name, maxResults=1000), "imageDetails")

    assert [len(page) for page in listed] == [20, 5]
    assert {len(row["imageTags"]) for page in listed for row in page} == {1000}
