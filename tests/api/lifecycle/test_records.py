"""Audit records of lifecycle policy runs: the members of CloudTrail's PolicyExecutionEvent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from moorage.domain.units import DAY
from tests.api.lifecycle.world import World
from tests.unit.lifecycle.policies import policy, rule


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.database.close()


def test_a_run_that_removes_an_image_is_recorded_with_its_rule(world: World) -> None:
    old = world.push(1, "v1", "v2", days=40)
    world.push(2, "v3", days=1)
    world.put_policy(policy(rule(7, ["v*"], 30, "sinceImagePushed")))

    world.run()

    (record,) = map(json.loads, world.records)
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
                "pushedAt": world.ago(40) // 1000,
            },
            "rulePriority": 7,
        }
    ]


def test_ten_images_are_several_records(world: World) -> None:
    digests = {world.push(number, days=40) for number in range(20)}
    world.put_policy(policy(rule(1, "untagged", 30, "sinceImagePushed")))

    world.run()

    actions = [json.loads(record)["serviceEventDetails"]["lifecycleEventImageActions"] for record in world.records]
    assert [len(each) for each in actions] == [9, 9, 2]
    assert {one["lifecycleEventImage"]["digest"] for each in actions for one in each} == digests
    assert {one["lifecycleEventImage"]["tagStatus"] for each in actions for one in each} == {"Untagged"}


def test_a_run_without_an_effect_is_not_recorded(world: World) -> None:
    world.push(1, days=1)
    world.put_policy(policy(rule(1, "any", 30, "sinceImagePushed")))

    world.run()
    world.now += DAY
    world.run()

    assert world.records == []
