"""Upstream registries that lie, refuse, break off or disappear: each has its status, and nothing half appears."""

from __future__ import annotations

import http.client
import json
import socket

import pytest

from tests.conftest import StartServer
from tests.docker.pull_through.caches import HOST, Cache, start_cache
from tests.docker.pull_through.upstream import Upstream
from tests.support.images import OCI_MANIFEST, Blob, image, layer
from tests.support.waiting import wait_until


@pytest.mark.parametrize(
    ("status", "answered", "code"),
    [
        (401, 403, "DENIED"),
        (403, 403, "DENIED"),
        (404, 404, "NAME_UNKNOWN"),
        (500, 503, "UNAVAILABLE"),
        (502, 503, "UNAVAILABLE"),
    ],
)
def test_each_refusal_of_the_upstream_registry_has_a_status(
    cache: Cache, upstream: Upstream, name: str, status: int, answered: int, code: str
) -> None:
    upstream.refused = {f"/v2/{name}/manifests/v1": status}
    answer = cache.pull(name, "v1")
    assert (answer.status, answer.error_codes()) == (answered, [code])
    if answered == 503:
        assert int(answer.headers["Retry-After"]) >= 1


def test_a_registry_that_asks_for_fewer_requests_gets_none_for_a_while(
    fresh_server: StartServer, upstream: Upstream, name: str
) -> None:
    cache = start_cache(fresh_server, upstream, "--workers", "1")
    one = upstream.put(image(), "v1")
    upstream.status, upstream.headers = 429, {"Retry-After": "2"}

    answers = [cache.pull(name, tag) for tag in ("v1", "v2", "v3")]

    assert [(answer.status, answer.error_codes()) for answer in answers] == [(429, ["TOOMANYREQUESTS"])] * 3
    assert 1 <= int(answers[0].headers["Retry-After"]) <= 2
    assert upstream.shortest_gap("GET", f"/{name}/") > 1.9, "at once, unless a slow machine needed two seconds"
    upstream.reset()
    wait_until(lambda: cache.pull(name, "v1").body == one.manifest.content)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>Please log in to the hotel's network</html>",
        b'{"schemaVersion": 1, "fsLayers": [], "history": []}',
        b"[" + b" " * (5 << 20),
    ],
    ids=["HTML", "schema 1", "5 MiB"],
)
def test_manifests_that_are_none_are_refused(cache: Cache, upstream: Upstream, name: str, body: bytes) -> None:
    upstream.manifests[name.replace("/", "-")] = Blob(body, OCI_MANIFEST)
    answer = cache.pull(name, name.replace("/", "-"))
    assert (answer.status, answer.error_codes()) == (502, ["UNAVAILABLE"])


def test_a_layer_with_other_bytes_is_never_whole_and_never_stored(cache: Cache, upstream: Upstream, name: str) -> None:
    one = upstream.put(image([layer(1 << 20, seed=5)]), "wrong")
    right = one.blobs[1]
    upstream.wrong = {right.digest: right.content[:-1] + b"x"}
    assert cache.pull(name, "wrong").status == 200

    response = cache.open_blob(name, right.digest)
    try:
        body = response.read()
    except http.client.IncompleteRead as broken:
        body = broken.partial
    assert len(body) < len(right.content)
    assert cache.images(name) == {}

    upstream.wrong = {}
    cache.wait_for_image(name, one.manifest.digest)
    assert cache.blob(name, right.digest).body == right.content


def test_a_layer_of_another_size_is_refused(cache: Cache, upstream: Upstream, name: str) -> None:
    one = upstream.put(image([layer(1 << 10, seed=6)]), "size")
    right = one.blobs[1]
    upstream.wrong = {right.digest: right.content + b"more"}
    cache.pull(name, "size")

    assert cache.blob(name, right.digest).status == 502
    assert cache.images(name) == {}


def test_a_layer_that_the_upstream_registry_lost_is_not_found(cache: Cache, upstream: Upstream, name: str) -> None:
    one = upstream.put(image([layer(1 << 10, seed=7)]), "lost")
    upstream.refused = {one.blobs[1].digest: 404}
    assert cache.pull(name, "lost").status == 200

    answer = cache.blob(name, one.blobs[1].digest)
    assert (answer.status, answer.error_codes()) == (404, ["BLOB_UNKNOWN"])
    assert cache.images(name) == {}


def test_a_fetch_that_failed_is_retried_without_any_client(cache: Cache, upstream: Upstream, name: str) -> None:
    one = upstream.put(image([layer(1 << 10, seed=8)]), "later")
    upstream.refused = {one.blobs[1].digest: 503}
    cache.pull(name, "later")
    wait_until(lambda: upstream.number("GET", one.blobs[1].digest))

    upstream.refused = {}

    cache.wait_for_image(name, one.manifest.digest)


def test_the_log_has_the_address_of_a_registry_that_cannot_be_reached_and_the_answer_has_not(
    fresh_server: StartServer,
) -> None:
    """An address in the operator's network is not for those who pull."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = Upstream()
        nobody.port = closed.getsockname()[1]
        cache = start_cache(fresh_server, nobody, "--workers", "1")

        answer = cache.pull("team/app", "v1")

    assert (answer.status, answer.error_codes()) == (503, ["UNAVAILABLE"])
    assert json.loads(answer.body)["errors"][0]["message"] == "The upstream registry cannot be reached"
    line = f'"event":"upstream","registry":"{HOST}","error":"no connection to 127.0.0.1: '
    wait_until(lambda: line in cache.server.output())
