"""The first pull of a cached image: it is answered at once, and the image appears when it is complete."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from tests.conftest import StartServer
from tests.docker.pull_through.caches import PREFIX, Cache, start_cache
from tests.docker.pull_through.upstream import Upstream
from tests.support.images import image, index, layer
from tests.support.waiting import wait_until

LARGE = 3 << 20


def test_the_first_pull_has_all_bytes_and_the_second_asks_nobody(cache: Cache, upstream: Upstream, name: str) -> None:
    one = upstream.put(image([layer(200_000)]), "v1")

    cache.pull_whole(name, "v1", one)
    cache.wait_for_image(name, one.manifest.digest)
    asked = upstream.about(name)
    cache.pull_whole(name, "v1", one)

    assert cache.images(name) == {one.manifest.digest: ["v1"]}
    assert upstream.about(name) == asked
    assert upstream.seen[f"GET /v2/{name}/manifests/v1"] == 1


def test_a_pull_of_the_manifest_alone_gets_a_complete_image(cache: Cache, upstream: Upstream, name: str) -> None:
    one = upstream.put(image([layer(seed=1), layer(seed=2)]), "v1")

    answer = cache.pull(name, "v1")

    assert (answer.status, answer.headers["Docker-Content-Digest"]) == (200, one.manifest.digest)
    cache.wait_for_image(name, one.manifest.digest)
    assert [cache.blob(name, blob.digest).body for blob in one.blobs] == [blob.content for blob in one.blobs]


def test_bytes_reach_the_client_while_they_arrive(cache: Cache, upstream: Upstream, name: str) -> None:
    one = upstream.put(image([layer(LARGE)]), "v1")
    large = one.blobs[1]
    cache.pull(name, "v1")
    upstream.pause(after=LARGE // 2)

    connection = cache.open_blob(name, large.digest)
    first = connection.read(LARGE // 16)
    upstream.resume()
    rest = connection.read()

    assert first + rest == large.content


def test_no_image_is_listed_before_all_its_layers_are_here(cache: Cache, upstream: Upstream, name: str) -> None:
    one = upstream.put(image([layer(LARGE)]), "v1")
    upstream.pause(after=LARGE // 2)

    assert cache.pull(name, "v1").status == 200
    upstream.wait_until_paused()
    assert cache.images(name) == {}
    assert cache.pull(name, "v1").body == one.manifest.content
    assert cache.pull(name, one.manifest.digest).body == one.manifest.content
    upstream.resume()

    cache.wait_for_image(name, one.manifest.digest)


def test_many_clients_at_once_are_one_request_a_blob(fresh_server: StartServer, upstream: Upstream, name: str) -> None:
    cache = start_cache(fresh_server, upstream, "--workers", "2")
    one = upstream.put(image([layer(LARGE), layer(seed=2)]), "v1")
    upstream.pause(after=LARGE // 2)

    with ThreadPoolExecutor(50) as clients:
        pulls = [clients.submit(cache.pull_whole, name, "v1", one) for _ in range(50)]
        upstream.wait_until_paused()
        upstream.resume()
        for pull in pulls:
            pull.result()

    asked = {blob.digest: upstream.number("GET", blob.digest) for blob in one.blobs}
    assert set(asked.values()) == {1}, asked
    assert upstream.number("GET", "/manifests/v1") == 1


def test_a_client_that_leaves_does_not_end_the_fetch(cache: Cache, upstream: Upstream, name: str) -> None:
    one = upstream.put(image([layer(LARGE)]), "v1")
    upstream.pause(after=LARGE // 2)
    cache.pull(name, "v1")

    connection = cache.open_blob(name, one.blobs[1].digest)
    connection.read(1)
    connection.close()
    upstream.resume()

    cache.wait_for_image(name, one.manifest.digest)
    assert upstream.number("GET", one.blobs[1].digest) == 1


def test_a_client_that_comes_late_or_wants_a_part_gets_it_too(cache: Cache, upstream: Upstream, name: str) -> None:
    one = upstream.put(image([layer(LARGE)]), "v1")
    large = one.blobs[1]
    cache.pull(name, "v1")
    upstream.pause(after=LARGE // 2)
    upstream.wait_until_paused()

    head = cache.blob(name, large.digest, "HEAD")
    part = cache.blob(name, large.digest, Range="bytes=100-199")
    beyond = cache.blob(name, large.digest, Range=f"bytes={len(large.content)}-")
    threading.Timer(0.1, upstream.resume).start()
    rest = cache.blob(name, large.digest, Range="bytes=1000-")

    assert (head.status, int(head.headers["Content-Length"])) == (200, len(large.content))
    assert (part.status, part.body) == (206, large.content[100:200])
    assert beyond.status == 416
    assert rest.body == large.content[1000:]


def test_a_list_brings_all_its_images(cache: Cache, upstream: Upstream, name: str) -> None:
    images = [upstream.put(image(seed=number)) for number in range(3)]
    inner = upstream.put(index(images[:1]))
    outer = upstream.put(index([inner, *images[1:]]), "v1")

    assert cache.pull(name, "v1").body == outer.manifest.content

    cache.wait_for_image(name, outer.manifest.digest)
    expected = {one.manifest.digest for one in (*images, inner, outer)}
    assert cache.images(name).keys() == expected


def test_a_pull_by_digest_is_fetched_once(cache: Cache, upstream: Upstream, name: str) -> None:
    one = upstream.put(image())

    for _ in range(3):
        assert cache.pull(name, one.manifest.digest).body == one.manifest.content
    cache.wait_for_image(name, one.manifest.digest)

    assert upstream.number("GET", f"/manifests/{one.manifest.digest}") == 1
    assert cache.images(name) == {one.manifest.digest: []}


def test_what_is_not_there_is_not_found_and_creates_nothing(cache: Cache, upstream: Upstream, name: str) -> None:
    missing = [cache.pull(name, "absent") for _ in range(3)]

    assert [(one.status, one.error_codes()) for one in missing] == [(404, ["NAME_UNKNOWN"])] * 3
    assert upstream.about(name) == 1
    with pytest.raises(ClientError, match="RepositoryNotFoundException"):
        cache.images(name)


def test_a_layer_of_a_repository_that_is_not_here_is_not_found(cache: Cache, upstream: Upstream, name: str) -> None:
    """Only the pull of a manifest creates a repository."""
    one = upstream.put(image(seed=31))

    answer = cache.blob(name, one.blobs[1].digest)

    assert (answer.status, answer.error_codes()) == (404, ["NAME_UNKNOWN"])
    assert upstream.about(name) == 0


def test_names_without_a_rule_are_not_asked_for(cache: Cache, upstream: Upstream, name: str) -> None:
    for other in (PREFIX, f"other/{name}", f"{PREFIX}ble/{name}"):
        assert cache.docker.get(f"/v2/{other}/manifests/of-{PREFIX}").status == 404
    assert upstream.about(name) == upstream.number("", f"/of-{PREFIX}") == 0


def test_the_first_pull_is_recorded(cache: Cache, upstream: Upstream, name: str) -> None:
    one = upstream.put(image(), "v1")
    cache.pull_whole(name, "v1", one)

    def details() -> list[dict[str, object]]:
        return list(cache.ecr.describe_images(repositoryName=f"{PREFIX}/{name}")["imageDetails"])

    wait_until(lambda: [one for one in details() if "lastRecordedPullTime" in one])
