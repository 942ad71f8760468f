"""Events of API calls, as EventBridge gets them from CloudTrail: all changes that are not changes of images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.api.ecr.pushing import push
from tests.api.events.conftest import Hook
from tests.support.http_client import Docker
from tests.support.images import image
from tests.support.receiver import Receiver


def test_changes_of_repositories_are_events_in_order_with_the_caller(
    ecr: Any, receiver: Receiver, hook: Hook, new_repository: Callable[[], str]
) -> None:
    name = new_repository()
    ecr.put_image_tag_mutability(repositoryName=name, imageTagMutability="IMMUTABLE")
    push(ecr, name, image(seed=1), "v1")
    ecr.delete_repository(repositoryName=name, force=True)

    messages = receiver.wait_for(4)

    names = [message.detail.get("eventName") or message.detail["action-type"] for message in messages]
    assert names == ["CreateRepository", "PutImageTagMutability", "PUSH", "DeleteRepository"]
    event = messages[0].event
    assert (event["detail-type"], event["source"]) == ("AWS API Call via CloudTrail", "aws.ecr")
    assert event["detail"]["requestParameters"] == {"repositoryName": name}
    assert event["detail"]["userIdentity"]["type"] == "Root"
    assert event["detail"]["eventSource"] == "ecr.amazonaws.com"
    assert "errorCode" not in event["detail"]


def test_a_refused_call_is_not_an_event(ecr: Any, repository: str, receiver: Receiver, hook: Hook) -> None:
    with pytest.raises(ClientError):
        ecr.create_repository(repositoryName=repository)
    ecr.put_image_tag_mutability(repositoryName=repository, imageTagMutability="IMMUTABLE")

    assert [message.detail["eventName"] for message in receiver.wait_for(1)] == ["PutImageTagMutability"]


def test_changes_of_the_registry_are_events(ecr: Any, receiver: Receiver, hook: Hook) -> None:
    ecr.put_account_setting(name="BLOB_MOUNTING", value="ENABLED")

    (message,) = receiver.wait_for(1)

    assert message.detail["eventName"] == "PutAccountSetting"
    assert message.detail["resources"] == []


@pytest.fixture
def prefix(ecr: Any) -> Iterator[str]:
    """The prefix of a creation template for pushes."""
    ecr.create_repository_creation_template(prefix="announced", appliedFor=["CREATE_ON_PUSH"])
    yield "announced"
    ecr.delete_repository_creation_template(prefix="announced")


def test_a_repository_that_a_push_creates_is_one_event(
    prefix: str, http: Docker, receiver: Receiver, hook: Hook
) -> None:
    http.push(f"{prefix}/app", image(seed=1), "v1")

    created, pushed = receiver.wait_for(2)

    assert created.detail["eventName"] == "CreateRepository"
    assert created.detail["resources"][0]["ARN"].endswith(f":repository/{prefix}/app")
    assert pushed.detail["action-type"] == "PUSH"
