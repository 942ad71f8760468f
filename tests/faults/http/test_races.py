"""Many concurrent clients at both endpoints: one blob, one winner, and a linearizable history."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TypeVar

import pytest

from tests.api.ecr.pushing import upload_blobs, variants
from tests.faults.durability.endpoints import Endpoints, Journal, Named
from tests.faults.durability.promises import check_all, check_p5_immutable_means_once, check_p10_bounded
from tests.faults.http.linearizability import Operation, is_linearizable
from tests.support.images import OCI_LAYER, Blob, Image, image

CLIENTS = 64
ROUNDS = 30

T = TypeVar("T")


def concurrently(calls: Iterable[Callable[[], T]]) -> list[T]:
    """Start all calls at the same time, each in its own thread."""
    waiting = list(calls)
    barrier = threading.Barrier(len(waiting))

    def begin(call: Callable[[], T]) -> T:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(waiting)) as pool:
        return list(pool.map(begin, waiting))


def files_of(endpoints: Endpoints, digest: str) -> int:
    """How many files the store has for a digest."""
    encoded = digest.removeprefix("sha256:")
    return len(list((endpoints.server.data / "blobs" / "sha256" / encoded[:2]).glob(f"{encoded}-*")))


@pytest.mark.parametrize("size", [10_000, 600_000])
def test_sixty_four_concurrent_pushes_of_one_layer_store_one_blob(
    endpoints: Endpoints, repository: str, size: int
) -> None:
    blob = Blob(random.Random(f"{repository}{size}").randbytes(size), OCI_LAYER)

    before = set((endpoints.server.data / "uploads").iterdir())

    concurrently([lambda: endpoints.docker.push_blob(repository, blob)] * CLIENTS)

    assert files_of(endpoints, blob.digest) == 1
    assert set((endpoints.server.data / "uploads").iterdir()) <= before
    assert endpoints.layer(repository, blob.digest).body == blob.content
    check_p10_bounded(endpoints.server)


def test_concurrent_pushes_of_one_layer_to_different_repositories_store_one_blob(
    endpoints: Endpoints, repository: str
) -> None:
    blob = Blob(random.Random(repository).randbytes(300_000), OCI_LAYER)
    names = [f"{repository}/{number}" for number in range(16)]
    for name in names:
        endpoints.ecr.create_repository(repositoryName=name)

    concurrently([partial(endpoints.docker.push_blob, name, blob) for name in names])

    assert files_of(endpoints, blob.digest) == 1
    assert {endpoints.layer(name, blob.digest).body for name in names} == {blob.content}


def pushed(endpoints: Endpoints, client_number: int, tag: Named, sample: Image) -> bool:
    """Whether a push of a manifest under a tag succeeded. Otherwise the tag was immutable."""
    if client_number % 2:
        path = f"/v2/{tag.repository}/manifests/{tag.name}"
        answer = endpoints.docker.put(path, sample.manifest.content, {"Content-Type": sample.manifest.media_type})
        assert answer.status == 201 or answer.error_codes() == ["TAG_INVALID"], answer
        return answer.status == 201
    try:
        endpoints.ecr.put_image(
            repositoryName=tag.repository, imageManifest=sample.manifest.content.decode(), imageTag=tag.name
        )
    except endpoints.ecr.exceptions.ImageTagAlreadyExistsException:
        return False
    return True


def test_one_of_several_concurrent_pushes_gets_an_immutable_tag(endpoints: Endpoints, repository: str) -> None:
    """Eight at a time, half of them at each endpoint, each with another manifest."""
    endpoints.ecr.put_image_tag_mutability(repositoryName=repository, imageTagMutability="IMMUTABLE")
    images = list(itertools.islice(variants(seed=7), 8))
    upload_blobs(endpoints.ecr, repository, images[0].blobs)
    winners = set()
    for number in range(ROUNDS):
        tag = Named(repository, f"round-{number}")

        won = concurrently(
            [partial(pushed, endpoints, client_number, tag, each) for client_number, each in enumerate(images)]
        )

        outcomes = {each.manifest.digest: success for each, success in zip(images, won, strict=True)}
        check_p5_immutable_means_once(endpoints, tag, outcomes)
        winners.add(won.index(True))
    assert len(winners) > 1, "no race at all: the same one won every time"


@pytest.mark.parametrize("condition", ["If-Match", "If-None-Match"])
def test_one_of_several_concurrent_pushes_with_a_condition_succeeds(
    endpoints: Endpoints, repository: str, condition: str
) -> None:
    """Four clients replace the same image, as appends to an index do, or create the same tag."""
    first, *rivals = itertools.islice(variants(seed=9), 5)
    upload_blobs(endpoints.ecr, repository, first.blobs)
    for number in range(ROUNDS):
        path = f"/v2/{repository}/manifests/round-{number}"
        media_type = {"Content-Type": first.manifest.media_type}
        expected = "*"
        if condition == "If-Match":
            expected = endpoints.docker.put(path, first.manifest.content, media_type).headers["Docker-Content-Digest"]
            expected = f'"{expected}"'
        sent = media_type | {condition: expected}

        answers = concurrently([partial(endpoints.docker.put, path, each.manifest.content, sent) for each in rivals])

        assert sorted(answer.status for answer in answers) == [201, 412, 412, 412]
        (winner,) = [answer for answer in answers if answer.status == 201]
        assert endpoints.docker.get(path).headers["ETag"] == f'"{winner.headers["Docker-Content-Digest"]}"'


def test_an_immutable_tag_is_set_once_while_mutability_changes(endpoints: Endpoints, repository: str) -> None:
    """After the change is acknowledged, no push moves a tag."""
    images = list(itertools.islice(variants(seed=8), 6))
    upload_blobs(endpoints.ecr, repository, images[0].blobs)
    tag = Named(repository, "v1")
    made_immutable = threading.Event()
    moved_later: list[str] = []

    def push_on(client_number: int) -> None:
        for each in images * 3:
            late = made_immutable.is_set()
            with suppress(endpoints.ecr.exceptions.ImageAlreadyExistsException):
                if pushed(endpoints, client_number, tag, each) and late:
                    moved_later.append(each.manifest.digest)

    def change() -> None:
        time.sleep(0.03)
        endpoints.ecr.put_image_tag_mutability(repositoryName=repository, imageTagMutability="IMMUTABLE")
        made_immutable.set()

    calls: list[Callable[[], None]] = [change, *(partial(push_on, client_number) for client_number in range(4))]
    concurrently(calls)

    bound = endpoints.manifest(repository, "v1").headers["Docker-Content-Digest"]
    assert set(moved_later) <= {bound}, "a push of the manifest that the tag already names is not a move"


class TagClient:
    """Performs random operations on one tag at one endpoint, and records results and times."""

    def __init__(self, endpoints: Endpoints, client_number: int, tag: Named, images: list[Image]) -> None:
        self.endpoints = endpoints
        self.client_number = client_number
        self.path = f"/v2/{tag.repository}/manifests/{tag.name}"
        self.tag = tag
        self.images = images
        self.random = random.Random(client_number)
        self.history: list[Operation] = []

    def run(self) -> list[Operation]:
        for _ in range(40):
            step = self.random.choice([self.put, self.put, self.get, self.get, self.get, self.delete])
            start = time.monotonic()
            kind, value, answer = step()
            self.history.append(Operation(start, time.monotonic(), kind, value, answer))
        return self.history

    def put(self) -> tuple[str, str | None, str | None]:
        chosen = self.random.choice(self.images)
        try:
            assert pushed(self.endpoints, self.client_number, self.tag, chosen)
        except self.endpoints.ecr.exceptions.ImageAlreadyExistsException:
            return "get", None, chosen.manifest.digest  # The tag already names it: this counts as a read.
        return "put", chosen.manifest.digest, None

    def get(self) -> tuple[str, str | None, str | None]:
        if self.client_number % 2:
            answer = self.endpoints.docker.get(self.path)
            assert answer.status in {200, 404}, answer
            return "get", None, answer.headers["Docker-Content-Digest"] if answer.status == 200 else None
        found = self.endpoints.ecr.batch_get_image(
            repositoryName=self.tag.repository, imageIds=[{"imageTag": self.tag.name}]
        )["images"]
        return "get", None, found[0]["imageId"]["imageDigest"] if found else None

    def delete(self) -> tuple[str, str | None, str | None]:
        answer = self.endpoints.docker.delete(self.path)
        assert answer.status in {202, 404}, answer
        return "delete", None, "ok" if answer.status == 202 else "missing"


def test_operations_on_a_tag_at_both_endpoints_are_linearizable(endpoints: Endpoints, repository: str) -> None:
    images = list(itertools.islice(variants(seed=9), 4))
    upload_blobs(endpoints.ecr, repository, images[0].blobs)
    clients = [TagClient(endpoints, client_number, Named(repository, "moving"), images) for client_number in range(6)]

    history = sorted(itertools.chain.from_iterable(concurrently([client.run for client in clients])))

    assert len(history) == 240
    assert is_linearizable(history)
    check_all(endpoints, Journal())


def test_images_of_many_concurrent_pushes_all_exist(endpoints: Endpoints, repository: str) -> None:
    images = [image(seed=number) for number in range(24)]
    journal = Journal()
    for number, each in enumerate(images):
        journal.manifests[Named(repository, each.manifest.digest)] = each.manifest
        journal.tags[Named(repository, f"v{number}")] = {each.manifest.digest}

    concurrently([partial(endpoints.docker.push, repository, images[number], f"v{number}") for number in range(24)])

    check_all(endpoints, journal)
