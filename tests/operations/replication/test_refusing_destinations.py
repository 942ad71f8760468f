"""Destinations that answer, but do not take what they get: read-only, full, or asking for fewer requests."""

from __future__ import annotations

import json
import time
from functools import partial

import pytest

from tests.operations.replication.conftest import ACCOUNT, Pair
from tests.support.images import image, layer
from tests.support.proxy import Fault, Handler, Proxy, answer
from tests.support.waiting import wait_until

SILENCE_SECONDS = 8


def last_error(pair: Pair) -> str:
    lines = pair.source.moorage("replication", "status").splitlines()
    line = next((line for line in lines if line.startswith(f"{pair.region}\t{ACCOUNT}\t")), "")
    return line.partition("last error ")[2]


def retry(pair: Pair) -> None:
    pair.source.moorage("replication", "retry", "--destination", pair.region, ACCOUNT)


@pytest.mark.parametrize(
    ("method", "part", "status"),
    [
        pytest.param("POST", "/blobs/uploads/", 503, id="read-only"),
        pytest.param("PATCH", "/blobs/uploads/", 507, id="full"),
        pytest.param("PUT", "/manifests/", 503, id="read-only in the middle"),
    ],
)
def test_images_wait_for_a_destination_that_may_take_them_later(
    pair: Pair, proxy: Proxy, method: str, part: str, status: int
) -> None:
    one = image(seed=status + len(method))
    pair.set_destination()
    pair.replicate()
    repository = pair.repository()
    pair.there.create_repository(repositoryName=repository)
    proxy.fail(method, part, answer(status))

    pair.push(repository, one, "v1")
    wait_until(lambda: f"answered {status}" in last_error(pair))
    assert pair.status(repository, one) == ("IN_PROGRESS", "")
    assert pair.tags_there(repository) == {}

    proxy.heal()
    retry(pair)
    assert pair.wait(repository, one) == ("COMPLETE", "")
    assert pair.tags_there(repository) == {"v1": one.manifest.digest}


@pytest.mark.parametrize(
    ("method", "status"),
    [pytest.param("POST", 405, id="read-only"), pytest.param("PATCH", 413, id="a layer that is too large")],
)
def test_a_refusal_is_shown_to_the_operator_with_the_address_and_to_callers_without(
    pair: Pair, proxy: Proxy, method: str, status: int
) -> None:
    """A registry that is read-only for ever, as Distribution's `readonly`, answers 405."""
    one = image(seed=status)
    pair.set_destination()
    pair.replicate()
    repository = pair.repository()
    pair.there.create_repository(repositoryName=repository)
    proxy.fail(method, "/blobs/uploads/", answer(status))

    pair.push(repository, one, "v1")
    assert pair.wait(repository, one) == ("FAILED", "DestinationRefused")
    pair.push(repository, one, "v2")
    destination = {"region": pair.region, "registryId": ACCOUNT}
    started = pair.here.start_replication_backfill(destination=destination)["replicationBackfillId"]
    results = partial(pair.here.describe_replication_backfill_results, replicationBackfillId=started)
    wait_until(lambda: "endedAt" in results())
    failed = results()
    assert {each["failureCode"] for each in failed["results"]} == {"DestinationRefused"}

    shown = pair.here.describe_image_replication_status(
        repositoryName=repository, imageId={"imageDigest": one.manifest.digest}
    )
    for seen_by_callers in (shown, failed):
        assert "127.0.0.1" not in json.dumps(seen_by_callers, default=str)
    for words in (("replication", "status"), ("replication", "status", "--failed")):
        assert f"127.0.0.1 answered {status}" in pair.source.moorage(*words)

    proxy.heal()
    retry(pair)
    wait_until(lambda: pair.status(repository, one) == ("COMPLETE", ""))
    assert pair.tags_there(repository) == dict.fromkeys(("v1", "v2"), one.manifest.digest)


def test_a_tag_that_the_destination_does_not_move_is_refused_and_the_image_arrives(pair: Pair, proxy: Proxy) -> None:
    """Registries answer an immutable tag in several ways; Harbor with 412."""
    theirs, ours = image(seed=1), image(seed=2)
    pair.set_destination()
    pair.replicate()
    repository = pair.repository()
    pair.there.create_repository(repositoryName=repository)
    pair.push_there(repository, theirs, "v1")
    proxy.fail("PUT", "/manifests/v1", answer(412))

    pair.push(repository, ours, "v1")
    assert pair.wait(repository, ours) == ("FAILED", "DestinationRefused")
    assert pair.tags_there(repository) == {"v1": theirs.manifest.digest}
    listed = pair.there.list_images(repositoryName=repository)["imageIds"]
    assert {"imageDigest": ours.manifest.digest} in listed


def test_a_destination_that_asks_for_fewer_requests_gets_none_until_its_time_has_passed(
    pair: Pair, proxy: Proxy
) -> None:
    """The job is made due again and again; the silence is kept nevertheless."""
    one, requests, silent_since = image(seed=3), [], []
    pair.source.restart(extra_args=["--workers", "1"])  # Each process keeps its own waiting times.

    def throttled(handler: Handler) -> None:
        handler.body()
        silent_since.append(time.monotonic())
        handler.send(429, [("Retry-After", str(SILENCE_SECONDS))], b"")

    def noted(handler: Handler) -> None:
        requests.append(time.monotonic())
        handler.send(*handler.forwarded())

    pair.set_destination()
    pair.replicate()
    repository = pair.repository()
    pair.there.create_repository(repositoryName=repository)
    proxy.fail("HEAD", "/manifests/", throttled, times=1)
    for method in ("HEAD", "GET", "POST", "PATCH", "PUT"):
        proxy.fail(method, "/", noted)

    pair.push(repository, one, "v1")
    wait_until(lambda: "fewer requests" in last_error(pair))
    known_since = time.monotonic()

    def arrives() -> bool:
        pair.hurry()
        return pair.status(repository, one) == ("COMPLETE", "")

    wait_until(arrives)
    assert [at for at in requests if known_since < at < silent_since[0] + SILENCE_SECONDS] == []
    assert pair.tags_there(repository) == {"v1": one.manifest.digest}


def counting(sizes: list[int]) -> Fault:
    """Forward a request, and note how many bytes its body has."""

    def fault(handler: Handler) -> None:
        sizes.append(int(handler.headers.get("content-length", 0)))
        handler.send(*handler.forwarded())

    return fault


def test_a_layer_that_another_repository_has_there_is_mounted_and_not_sent(pair: Pair, proxy: Proxy) -> None:
    shared = layer(100_000, seed=4)
    first, second = image([shared], seed=4), image([shared], seed=5)
    sent: list[int] = []
    proxy.fail("PATCH", "/blobs/uploads/", counting(sent))
    pair.set_destination()
    pair.replicate()
    before, after = pair.repository(), pair.repository()

    pair.push(before, first, "v1")
    assert pair.wait(before, first) == ("COMPLETE", "")
    assert sum(sent) == sum(len(blob.content) for blob in first.blobs)
    sent.clear()
    pair.push(after, second, "v1")
    assert pair.wait(after, second) == ("COMPLETE", "")

    known = {blob.digest for blob in first.blobs}
    assert sum(sent) == sum(len(blob.content) for blob in second.blobs if blob.digest not in known)
    assert pair.tags_there(after) == {"v1": second.manifest.digest}
