"""Pushes to a cached repository while layers of upstream images are on their way.

Clients ask for a layer with HEAD, and leave it out if it exists: then it must exist when the manifest arrives.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.docker.pull_through.caches import PREFIX, Cache
from tests.docker.pull_through.upstream import Upstream
from tests.support.http_client import Answer
from tests.support.images import Image, image, layer
from tests.support.waiting import wait_until

LARGE = 3 << 20


def put_manifest(cache: Cache, name: str, one: Image, tag: str) -> Answer:
    path, headers = f"/v2/{PREFIX}/{name}/manifests/{tag}", {"Content-Type": one.manifest.media_type}
    return cache.docker.put(path, one.manifest.content, headers)


def test_a_push_that_leaves_out_a_layer_on_its_way_waits_for_it(cache: Cache, upstream: Upstream, name: str) -> None:
    base = upstream.put(image([layer(LARGE, seed=61)]), "base")
    shared = base.blobs[1]
    upstream.pause(after=LARGE // 2)
    assert cache.pull(name, "base").status == 200
    head = cache.blob(name, shared.digest, "HEAD")
    assert (head.status, int(head.headers["Content-Length"])) == (200, len(shared.content))
    child = image([shared, layer(seed=62)])
    for blob in (child.blobs[0], child.blobs[2]):
        cache.docker.push_blob(f"{PREFIX}/{name}", blob)

    with ThreadPoolExecutor(1) as clients:
        upstream.wait_until_paused()
        pushed = clients.submit(put_manifest, cache, name, child, "child")
        upstream.resume()
        assert pushed.result().status == 201

    assert cache.blob(name, shared.digest).body == shared.content


def test_a_layer_that_fails_on_its_way_can_be_pushed(cache: Cache, upstream: Upstream, name: str) -> None:
    base = upstream.put(image([layer(LARGE, seed=63)]), "base-2")
    shared = base.blobs[1]
    upstream.wrong = {shared.digest: shared.content[:-1] + b"x"}
    upstream.pause(after=LARGE // 2)
    assert cache.pull(name, "base-2").status == 200
    assert cache.blob(name, shared.digest, "HEAD").status == 200
    child = image([shared, layer(seed=64)])
    for blob in (child.blobs[0], child.blobs[2]):
        cache.docker.push_blob(f"{PREFIX}/{name}", blob)
    upstream.refused = {shared.digest: 503}  # From now on: the fetch that was begun ends with other bytes.
    upstream.resume()

    refused = put_manifest(cache, name, child, "child")
    assert (refused.status, refused.error_codes()) == (404, ["MANIFEST_BLOB_UNKNOWN"])
    wait_until(lambda: cache.blob(name, shared.digest, "HEAD").status == 404)  # So the client sends it now.
    cache.docker.push_blob(f"{PREFIX}/{name}", shared)
    assert put_manifest(cache, name, child, "child").status == 201
