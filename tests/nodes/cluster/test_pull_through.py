"""The pull-through cache of two nodes: what clients of both ask for at once is fetched once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.docker.pull_through.caches import Cache, setting, with_rule
from tests.docker.pull_through.upstream import Upstream, running
from tests.nodes.cluster.conftest import Node, Settings
from tests.support.images import image, layer


def test_many_clients_of_two_nodes_are_one_request_a_blob(
    nodes: list[Node], settings: Settings, tmp_path: Path
) -> None:
    """These nodes allow the upstream registry. Those of other tests have created the database."""
    assert nodes
    one = image([layer(3 << 20, seed=71), layer(seed=72)])
    with running(Upstream()) as upstream:
        upstream.put(one, "v1")
        options = ("--blob-redirect", "off", *setting(upstream))
        started = [Node(tmp_path / name, settings, *options) for name in ("three", "four")]
        first = with_rule(started[0].server)
        caches = [first, Cache(started[1].server, started[1].docker(), first.ecr)]
        upstream.pause(after=2 << 20)

        with ThreadPoolExecutor(50) as clients:
            pulls = [clients.submit(cache.pull_whole, "team/app", "v1", one) for cache in caches for _ in range(25)]
            upstream.wait_until_paused()
            upstream.resume()
            for pull in pulls:
                pull.result()

        first.wait_for_image("team/app", one.manifest.digest)
        asked = {blob.digest: upstream.number("GET", blob.digest) for blob in one.blobs}
        assert set(asked.values()) == {1}, asked
        assert upstream.number("GET", "/manifests/v1") == 1
        for node in started:
            node.server.stop()
