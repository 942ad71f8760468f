"""The pull-through cache with a bucket as the blob store: bytes arrive at once, and clients of other processes wait."""

from __future__ import annotations

import http.client
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.docker.pull_through.caches import Cache, setting, with_rule
from tests.docker.pull_through.upstream import Upstream, running
from tests.nodes.s3.conftest import S3Server
from tests.support.images import Blob, Image, image, layer
from tests.support.object_store import ObjectStore
from tests.support.waiting import wait_until

LARGE = 12 << 20
"""More than a part of a multipart upload (8 MiB), and than a process keeps in memory (4 MiB)."""


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with running(Upstream()) as one:
        yield one


@pytest.fixture(scope="module")
def s3_cache(
    upstream: Upstream, object_store: ObjectStore, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Cache, S3Server]]:
    """A server with two worker processes that caches the upstream registry in a bucket."""
    server = S3Server(tmp_path_factory.mktemp("s3-cache") / "data", object_store)
    server.serve(None, "--workers", "2", *setting(upstream))
    yield with_rule(server), server
    server.stop()


def content(cache: Cache, name: str, blob: Blob) -> bytes:
    """The bytes of a blob. A complete one is behind a redirect to the store."""
    answer = cache.blob(name, blob.digest)
    if answer.status != 307:
        return answer.body
    with urllib.request.urlopen(answer.headers["Location"], timeout=60) as redirected:
        return bytes(redirected.read())


def pull_whole(cache: Cache, name: str, tag: str, one: Image) -> None:
    assert cache.pull(name, tag).body == one.manifest.content
    for blob in one.blobs:
        assert content(cache, name, blob) == blob.content


def test_the_first_pull_has_the_bytes_while_they_arrive(s3_cache: tuple[Cache, S3Server], upstream: Upstream) -> None:
    cache, _ = s3_cache
    one = upstream.put(image([layer(LARGE, seed=61)]), "v1")
    large = one.blobs[1]
    upstream.pause(after=LARGE // 2)

    assert cache.pull("team/first", "v1").status == 200
    response = cache.open_blob("team/first", large.digest)
    first = response.read(LARGE // 4)
    upstream.resume()
    rest = response.read()

    assert first + rest == large.content
    cache.wait_for_image("team/first", one.manifest.digest)


def test_many_clients_of_two_processes_are_one_request_a_blob_and_one_complete_image(
    s3_cache: tuple[Cache, S3Server], upstream: Upstream, object_store: ObjectStore
) -> None:
    cache, server = s3_cache
    one = upstream.put(image([layer(LARGE, seed=62), layer(seed=63)]), "v2")
    upstream.pause(after=LARGE // 2)

    with ThreadPoolExecutor(20) as clients:
        pulls = [clients.submit(pull_whole, cache, "team/many", "v2", one) for _ in range(20)]
        upstream.wait_until_paused()
        upstream.resume()
        for pull in pulls:
            pull.result()

    assert {upstream.number("GET", blob.digest) for blob in one.blobs} == {1}
    assert upstream.number("GET", "/manifests/v2") == 1
    cache.wait_for_image("team/many", one.manifest.digest)
    assert cache.images("team/many") == {one.manifest.digest: ["v2"]}
    upstream.status = 500
    try:
        pull_whole(cache, "team/many", "v2", one)
    finally:
        upstream.reset()
    wait_until(lambda: not object_store.uploads(server.prefix))


def test_other_bytes_are_refused_and_leave_no_object_in_the_bucket(
    s3_cache: tuple[Cache, S3Server], upstream: Upstream, object_store: ObjectStore
) -> None:
    cache, server = s3_cache
    one = upstream.put(image([layer(LARGE, seed=64)]), "v3")
    config, large = one.blobs
    known = object_store.keys(server.prefix)
    upstream.wrong = {large.digest: large.content[:-1] + b"x"}

    assert cache.pull("team/wrong", "v3").status == 200
    response = cache.open_blob("team/wrong", large.digest)
    with pytest.raises(http.client.IncompleteRead):
        response.read()

    assert content(cache, "team/wrong", config) == config.content
    wait_until(lambda: len(object_store.keys(server.prefix)) == len(known) + 1)
    wait_until(lambda: not object_store.uploads(server.prefix))
    assert cache.images("team/wrong") == {}
    upstream.reset()
    cache.wait_for_image("team/wrong", one.manifest.digest)
    assert content(cache, "team/wrong", large) == large.content
