"""Events of the pull-through cache (ECR user guide, "Amazon ECR events": "Event for a pull through cache action")."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.events.conftest import Webhooks
from tests.docker.pull_through.caches import HOST, PREFIX, Cache, new_cache
from tests.docker.pull_through.upstream import Upstream, running
from tests.support.images import image
from tests.support.receiver import Message, Receiver
from tests.support.server import Server


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with running(Upstream()) as one:
        yield one


@pytest.fixture(scope="module")
def cache(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cache]:
    server = Server(tmp_path_factory.mktemp("cache") / "data")
    yield new_cache(server, upstream, "--workers", "1")
    server.stop()


@pytest.fixture(autouse=True)
def _hook(cache: Cache, receiver: Receiver) -> Iterator[None]:
    """A target of these events alone."""
    webhooks = Webhooks(cache.server)
    hook = webhooks.add(receiver.url, "--events", "pull_through")
    yield
    webhooks("remove", hook.id)


def detail(name: str, **members: str) -> dict[str, Any]:
    """The detail of an event, with these members instead of those of a success."""
    return {
        "rule-version": "1",
        "sync-status": "SUCCESS",
        "ecr-repository-prefix": PREFIX,
        "repository-name": f"{PREFIX}/{name}",
        "upstream-registry-url": HOST,
        **{member.replace("_", "-"): value for member, value in members.items()},
    }


def without_reason(message: Message) -> dict[str, Any]:
    """The detail of a failure without the text of its reason, which must be there."""
    found = dict(message.detail)
    assert found.pop("failure-reason")
    return found


def test_an_image_that_was_fetched_is_one_event_with_the_members_of_ecr(
    cache: Cache, upstream: Upstream, receiver: Receiver
) -> None:
    one = upstream.put(image(seed=71), "v1")
    cache.pull_whole("team/fetched", "v1", one)
    cache.wait_for_image("team/fetched", one.manifest.digest)

    (message,) = receiver.wait_for(1)

    event = message.event
    assert (event["version"], event["detail-type"], event["source"]) == (
        "0",
        "ECR Pull Through Cache Action",
        "aws.ecr",
    )
    assert (event["account"], event["region"]) == ("000000000000", "us-east-1")
    assert event["resources"] == [f"arn:aws:ecr:us-east-1:000000000000:repository/{PREFIX}/team/fetched"]
    assert event["detail"] == detail("team/fetched", image_tag="v1", image_digest=one.manifest.digest)


def test_a_manifest_that_cannot_be_fetched_is_a_failed_event(
    cache: Cache, upstream: Upstream, receiver: Receiver
) -> None:
    upstream.refused = {"/manifests/denied": 403}

    assert cache.pull("team/denied", "denied").error_codes() == ["DENIED"]

    (message,) = receiver.wait_for(1)
    failure = {"sync_status": "FAILED", "failure_code": "UpstreamAccessDenied"}
    assert without_reason(message) == detail("team/denied", image_tag="denied", image_digest="", **failure)
    upstream.reset()


def test_a_layer_that_cannot_be_fetched_is_a_failed_event_before_the_success(
    cache: Cache, upstream: Upstream, receiver: Receiver
) -> None:
    one = upstream.put(image(seed=72), "late")
    upstream.refused = {one.blobs[1].digest: 503}
    assert cache.pull("team/late", "late").status == 200
    receiver.wait_for(1)
    upstream.reset()

    cache.wait_for_image("team/late", one.manifest.digest)

    named = {"image_tag": "late", "image_digest": one.manifest.digest}
    failure = {"sync_status": "FAILED", "failure_code": "UpstreamUnavailable"}
    while receiver.accepted()[-1].detail["sync-status"] == "FAILED":
        receiver.wait_for(len(receiver.accepted()) + 1)
    *failed, last = receiver.accepted()
    assert [without_reason(message) for message in failed] == [detail("team/late", **named, **failure)] * len(failed)
    assert last.detail == detail("team/late", **named)
