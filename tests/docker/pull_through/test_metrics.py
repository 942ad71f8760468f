"""Metrics of the pull-through cache: what upstream registries were asked for, and what they were not asked for."""

from __future__ import annotations

from tests.conftest import StartServer
from tests.docker.pull_through.caches import HOST, start_cache
from tests.docker.pull_through.upstream import Upstream
from tests.support.images import image, layer
from tests.support.metrics import Monitored
from tests.support.ports import free_port
from tests.support.waiting import wait_until


def test_requests_to_the_upstream_registry_are_counted_by_result_over_all_workers(
    fresh_server: StartServer, upstream: Upstream, name: str
) -> None:
    port = free_port()
    cache = start_cache(fresh_server, upstream, "--metrics", f"127.0.0.1:{port}", "--workers", "2")
    monitored = Monitored(cache.server, port)
    one = upstream.put(image([layer(seed=1)]), "v1")
    wrong = upstream.put(image([layer(seed=2)]), "v2")
    upstream.wrong = {wrong.blobs[1].digest: b"other bytes"}
    upstream.refused = {"/manifests/denied": 403, "/manifests/broken": 500}

    cache.pull_whole(name, "v1", one)
    cache.wait_for_image(name, one.manifest.digest)
    for _ in range(3):
        assert cache.pull(name, "v1").status == 200
    assert [cache.pull(name, tag).status for tag in ("absent", "denied", "broken")] == [404, 403, 503]
    cache.pull(name, "v2")

    wait_until(lambda: ("layer", "invalid", HOST) in monitored.scrape()["moorage_pull_through_fetches_total"])
    wait_until(lambda: monitored.scrape()["moorage_pull_through_hits_total"][()] == 3)
    found = monitored.scrape()
    fetches = found["moorage_pull_through_fetches_total"]
    assert fetches["manifest", "success", HOST] == 2
    assert fetches["layer", "success", HOST] >= len(one.blobs)
    assert {result for content, result, _ in fetches if content == "manifest"} == {
        "success",
        "missing",
        "denied",
        "unavailable",
    }
