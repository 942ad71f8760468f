"""Cached tags are compared with the upstream registry; a copy is served while that fails."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from moorage.core.pull_through import rules
from tests.api.ecr.pushing import push
from tests.docker.pull_through.caches import PREFIX, Cache, new_cache
from tests.docker.pull_through.upstream import Upstream
from tests.support.images import image, layer
from tests.support.server import Server
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def hasty(shared_upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cache]:
    """A cache that compares tags after one second, which is shorter than operators can choose."""
    server = Server(tmp_path_factory.mktemp("hasty") / "data")
    cache = new_cache(server, shared_upstream, "--workers", "2")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rules, "_SHORTEST_REFRESH", 0)
        server.moorage("pull-through", "set", PREFIX, "--refresh", "1s")
    yield cache
    server.stop()


def cached(cache: Cache, upstream: Upstream, name: str, tag: str) -> str:
    """Cache an image under a tag; returns its digest."""
    one = upstream.put(image(seed=1), tag)
    wait_until(lambda: cache.pull(name, tag).status == 200)  # A test before may have been asked to wait.
    cache.wait_for_image(name, one.manifest.digest)
    return one.manifest.digest


def test_a_comparison_is_one_head_request(hasty: Cache, upstream: Upstream, name: str) -> None:
    digest = cached(hasty, upstream, name, "same")
    upstream.seen.clear()

    wait_until(lambda: hasty.pull(name, "same").status == 200 and upstream.seen)
    assert upstream.seen.keys() == {f"HEAD /v2/{name}/manifests/same"}
    assert hasty.images(name) == {digest: ["same"]}


def test_a_tag_that_has_moved_is_updated(hasty: Cache, upstream: Upstream, name: str) -> None:
    old = cached(hasty, upstream, name, "moving")
    new = upstream.put(image(seed=2), "moving").manifest

    wait_until(lambda: hasty.pull(name, "moving").body == new.content)
    assert {hasty.pull(name, "moving").body for _ in range(5)} == {new.content}
    wait_until(lambda: hasty.images(name) == {old: [], new.digest: ["moving"]})
    assert hasty.pull(name, "moving").body == new.content


@pytest.mark.parametrize("status", [401, 404, 429, 500])
def test_the_copy_is_served_while_the_upstream_registry_fails(
    hasty: Cache, upstream: Upstream, name: str, status: int
) -> None:
    digest = cached(hasty, upstream, name, f"kept-{status}")
    upstream.seen.clear()
    upstream.refused = {f"/manifests/kept-{status}": status}
    upstream.headers = {"Retry-After": "1"}

    wait_until(lambda: hasty.pull(name, f"kept-{status}").status == 200 and upstream.seen)
    answers = [hasty.pull(name, f"kept-{status}") for _ in range(5)]

    assert {answer.headers["Docker-Content-Digest"] for answer in answers} == {digest}
    assert upstream.shortest_gap("HEAD", f"kept-{status}") > 0.9, "a failure is not repeated at once"


def test_an_immutable_tag_stays(hasty: Cache, upstream: Upstream, name: str) -> None:
    digest = cached(hasty, upstream, name, "fixed")
    hasty.ecr.put_image_tag_mutability(repositoryName=f"{PREFIX}/{name}", imageTagMutability="IMMUTABLE")
    upstream.put(image(seed=3), "fixed")
    other = cached(hasty, upstream, name, "clock")
    upstream.seen.clear()

    wait_until(lambda: hasty.pull(name, "clock").status == 200 and hasty.pull(name, "fixed").status == 200)
    assert hasty.pull(name, "fixed").headers["Docker-Content-Digest"] == digest
    assert other in hasty.images(name)
    assert upstream.number("GET", "/manifests/fixed") == 0


def test_a_tag_that_was_pushed_here_is_not_compared(hasty: Cache, upstream: Upstream, name: str) -> None:
    cached(hasty, upstream, name, "ours")
    ours = image(seed=4)
    hasty.docker.push(f"{PREFIX}/{name}", ours, "ours")
    upstream.put(image(seed=5), "ours")
    upstream.seen.clear()

    cached(hasty, upstream, name, "other")
    upstream.seen.clear()
    wait_until(lambda: hasty.pull(name, "other").status == 200 and upstream.seen)

    assert hasty.pull(name, "ours").body == ours.manifest.content
    assert upstream.number("HEAD", "/manifests/ours") == 0


@pytest.mark.parametrize("is_cached", [False, True], ids=["first pull", "comparison"])
def test_a_tag_that_a_client_pushes_during_the_fetch_stays_its_own(
    hasty: Cache, upstream: Upstream, name: str, *, is_cached: bool
) -> None:
    """The image of the upstream registry is complete only after the push: it must not take the tag back."""
    tag = f"raced-{is_cached}"
    if is_cached:
        cached(hasty, upstream, name, tag)
    slow = upstream.put(image([layer(1 << 20, seed=90 + is_cached)]), tag).manifest
    upstream.pause(0)
    wait_until(lambda: hasty.pull(name, tag).body == slow.content)

    mine = push(hasty.ecr, f"{PREFIX}/{name}", image(seed=92), tag).manifest
    upstream.resume()

    hasty.wait_for_image(name, slow.digest)
    assert hasty.images(name)[mine.digest] == [tag]
    assert hasty.pull(name, tag).body == mine.content
