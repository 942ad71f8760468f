"""Events of replication, in the destination (ECR user guide, "Amazon ECR events": a completed image replication)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.ecr.pushing import push
from tests.api.ecr.replicating import NAME, Site
from tests.api.ecr.wire import ACCOUNT
from tests.api.events.conftest import Webhooks
from tests.support.images import image
from tests.support.receiver import Receiver
from tests.support.waiting import wait_until


@pytest.fixture
def hooked(webhooks: Webhooks, receiver: Receiver) -> Iterator[Receiver]:
    """A receiver of the events of replication and of pushes."""
    hook = webhooks.add(receiver.url, "--events", "REPLICATE", "--events", "PUSH")
    yield receiver
    webhooks("remove", hook.id)


def events_in(receiver: Receiver, region: str, number: int) -> dict[str, Any]:
    """The events of a Region by action, when there are this many."""

    def found() -> dict[str, Any]:
        events = [message.event for message in list(receiver.messages)]
        return {each["detail"]["action-type"]: each for each in events if each["region"] == region}

    wait_until(lambda: len(found()) == number)
    return found()


def test_the_destination_has_the_event_of_the_replication_and_that_of_a_push(
    source: Site, target: Site, hooked: Receiver
) -> None:
    source.replicate_to(target)
    pushed = push(source.ecr, NAME, image(seed=1), "v1")

    found = events_in(hooked, target.region, 2)

    event = found["REPLICATE"]
    assert (event["detail-type"], event["source"]) == ("ECR Replication Action", "aws.ecr")
    assert event["account"] == ACCOUNT
    assert event["resources"] == [f"arn:aws:ecr:{target.region}:{ACCOUNT}:repository/{NAME}"]
    assert event["detail"] == {
        "result": "SUCCESS",
        "repository-name": NAME,
        "image-digest": pushed.manifest.digest,
        "source-account": ACCOUNT,
        "action-type": "REPLICATE",
        "source-region": source.region,
        "image-tag": "v1",
    }
    assert found["PUSH"]["detail"]["image-tag"] == "v1"


def test_a_replication_that_is_refused_is_a_failed_event(source: Site, target: Site, hooked: Receiver) -> None:
    statement = (
        '{"Sid": "no", "Effect": "Deny", "Principal": "*", "Action": "ecr:ReplicateImage",'
        f' "Resource": "arn:aws:ecr:{target.region}:{ACCOUNT}:repository/*"}}'
    )
    target.ecr.put_registry_policy(policyText=f'{{"Version": "2012-10-17", "Statement": [{statement}]}}')
    source.replicate_to(target)
    push(source.ecr, NAME, image(seed=1), "v1")

    found = events_in(hooked, target.region, 1)

    assert found["REPLICATE"]["detail"]["result"] == "FAILED"
