"""Audit records of lifecycle policy runs: the members of CloudTrail's PolicyExecutionEvent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from moorage.domain.units import DAY
from tests.unit.lifecycle.policies import policy, rule
from tests.unit.lifecycle.registry import LifecycleRegistry


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[LifecycleRegistry]:
    made = LifecycleRegistry(tmp_path)
    yield made
    made.database.close()


def test_a_run_that_removes_an_image_is_recorded_with_its_rule(registry: LifecycleRegistry) -> None:
    old = registry.push(1, "v1", "v2", days=40)
    registry.push(2, "v3", days=1)
    registry.put_policy(policy(rule(7, ["v*"], 30, "sinceImagePushed")))

    registry.run()

    (record,) = map(json.loads, registry.records)
    assert (record["eventName"], record["eventType"]) == ("PolicyExecutionEvent", "AwsServiceEvent")
    assert record["userIdentity"] == {"accountId": "000000000000", "invokedBy": "ecr.amazonaws.com"}
    assert record["resources"][0]["ARN"].endswith("repository/team/app")
    details = record["serviceEventDetails"]
    assert details["repositoryName"] == "team/app"
    (described,) = details["lifecycleEventPolicy"]["lifecycleEventRules"]
    assert (described["rulePriority"], described["action"]) == (7, "expire")
    assert described["lifecycleEventSelection"]["tagStatus"] == "Tagged"
    assert described["lifecycleEventSelection"]["countType"] == "Since image pushed"
    assert described["lifecycleEventSelection"]["countNumber"] == 30
    assert details["lifecycleEventImageActions"] == [
        {
            "lifecycleEventImage": {
                "digest": old,
                "tagStatus": "Tagged",
                "tagList": ["v1", "v2"],
                "pushedAt": registry.ago(40) // 1000,
            },
            "rulePriority": 7,
        }
    ]


def test_ten_images_are_several_records(registry: LifecycleRegistry) -> None:
    digests = {registry.push(number, days=40) for number in range(20)}
    registry.put_policy(policy(rule(1, "untagged", 30, "sinceImagePushed")))

    registry.run()

    actions = [json.loads(record)["serviceEventDetails"]["lifecycleEventImageActions"] for record in registry.records]
    assert [len(each) for each in actions] == [9, 9, 2]
    assert {row["lifecycleEventImage"]["digest"] for each in actions for row in each} == digests
    assert {row["lifecycleEventImage"]["tagStatus"] for each in actions for row in each} == {"Untagged"}


def test_a_run_without_an_effect_is_not_recorded(registry: LifecycleRegistry) -> None:
    registry.push(1, days=1)
    registry.put_policy(policy(rule(1, "any", 30, "sinceImagePushed")))

    registry.run()
    registry.now += DAY
    registry.run()

    assert registry.records == []
