"""Worker processes that are killed while they fetch: others go on, and nothing half appears."""

from __future__ import annotations

import http.client
import os
import signal

import pytest

from tests.conftest import StartServer
from tests.docker.pull_through.caches import Cache, start_cache
from tests.docker.pull_through.upstream import Upstream
from tests.support.images import Image, image, layer
from tests.support.waiting import wait_until

LARGE = 3 << 20


def _killed_while_it_fetches(start: StartServer, upstream: Upstream, name: str) -> tuple[Cache, Image]:
    """A cache whose worker processes were killed in the middle of a layer, and the image."""
    cache = start_cache(start, upstream, "--workers", "2")
    one = upstream.put(image([layer(LARGE, seed=21)]), "killed")
    upstream.pause(after=LARGE // 2)
    assert cache.pull(name, "killed").status == 200
    response = cache.open_blob(name, one.blobs[1].digest)
    upstream.wait_until_paused()
    for worker in cache.server.workers():
        os.kill(worker, signal.SIGKILL)
    response.close()
    upstream.resume()
    wait_until(cache.server.is_ready)
    return cache, one


def _is_whole(cache: Cache, name: str, one: Image) -> bool:
    """Whether the layer can be pulled. A response with bytes of the killed process breaks off; clients try again."""
    try:
        return cache.blob(name, one.blobs[1].digest).body == one.blobs[1].content
    except http.client.IncompleteRead:
        return False


def test_another_process_fetches_the_layer_again(fresh_server: StartServer, upstream: Upstream, name: str) -> None:
    cache, one = _killed_while_it_fetches(fresh_server, upstream, name)

    assert cache.images(name) == {}
    assert cache.pull(name, "killed").body == one.manifest.content
    wait_until(lambda: _is_whole(cache, name, one))


@pytest.mark.long
def test_the_image_is_completed_without_any_client(fresh_server: StartServer, upstream: Upstream, name: str) -> None:
    cache, one = _killed_while_it_fetches(fresh_server, upstream, name)

    cache.wait_for_image(name, one.manifest.digest)
    assert [cache.blob(name, blob.digest).body for blob in one.blobs] == [blob.content for blob in one.blobs]
