"""A repository that a pull creates is recorded, and announced, as one that CreateRepository creates."""

from __future__ import annotations

import json
from typing import Any

from tests.api.events.conftest import Webhooks
from tests.docker.pull_through.caches import PREFIX, Cache
from tests.docker.pull_through.upstream import Upstream
from tests.support.images import image
from tests.support.receiver import receiving
from tests.support.waiting import wait_until


def creations(cache: Cache) -> list[dict[str, Any]]:
    """The audit records of CreateRepository."""
    records = [json.loads(line) for line in (cache.server.data / "audit.jsonl").read_bytes().splitlines()]
    return [record for record in records if record["eventName"] == "CreateRepository"]


def test_the_audit_log_names_who_pulled_at_both_endpoints(cache: Cache, upstream: Upstream, name: str) -> None:
    upstream.put(image(), "v1")
    names, before = [f"{PREFIX}/{name}", f"{PREFIX}/{name}-api"], len(creations(cache))

    for _ in range(2):
        cache.pull(name, "v1")
        cache.ecr.batch_get_image(repositoryName=names[1], imageIds=[{"imageTag": "v1"}])

    found = creations(cache)[before:]
    assert [record["requestParameters"]["repositoryName"] for record in found] == names
    for record, created in zip(found, names, strict=True):
        assert record["userIdentity"]["type"] == "Root"
        assert record["userIdentity"]["invokedBy"] == "ecr.amazonaws.com"
        arn = f"arn:aws:ecr:us-east-1:000000000000:repository/{created}"
        assert [resource["ARN"] for resource in record["resources"]] == [arn]


def test_a_pull_of_what_is_not_there_records_nothing(cache: Cache, upstream: Upstream, name: str) -> None:
    before = len(creations(cache))

    assert cache.pull(name, "absent").status == 404

    assert len(creations(cache)) == before


def test_the_creation_is_an_event_of_an_api_call(cache: Cache, upstream: Upstream, name: str) -> None:
    upstream.put(image(), "v1")
    webhooks = Webhooks(cache.server)
    with receiving() as receiver:
        hook = webhooks.add(receiver.url)
        try:
            cache.pull(name, "v1")
            wait_until(lambda: [one for one in receiver.messages if "eventName" in one.detail])
        finally:
            webhooks("remove", hook.id)

    (event,) = [message.event for message in receiver.messages if "eventName" in message.detail]
    assert event["detail-type"] == "AWS API Call via CloudTrail"
    assert event["detail"]["eventName"] == "CreateRepository"
    assert event["detail"]["requestParameters"]["repositoryName"] == f"{PREFIX}/{name}"
