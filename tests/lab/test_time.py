"""Time travel: the registry follows the clock of the lab."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.api.ecr.wire import refusal
from tests.lab.conftest import Lab
from tests.support.aws import docker_password
from tests.support.http_client import Docker
from tests.support.images import image
from tests.support.waiting import wait_until

TEAM = "team/app"
EXPIRY = {
    "rules": [
        {
            "rulePriority": 1,
            "selection": {
                "tagStatus": "any",
                "countType": "sinceImagePushed",
                "countUnit": "days",
                "countNumber": 30,
            },
            "action": {"type": "expire"},
        }
    ]
}


def test_new_things_have_the_time_of_the_lab(lab: Lab, ecr: Any) -> None:
    lab.call("PUT", "time", {"time": "2030-01-31T12:00:00Z", "stopped": True})

    made = ecr.create_repository(repositoryName=TEAM)["repository"]

    assert made["createdAt"].timestamp() == 1896091200
    assert lab.call("GET", "time") == {"time": "2030-01-31T12:00:00Z", "stopped": True}


def test_images_expire_when_their_time_has_come(lab: Lab, ecr: Any, http: Docker) -> None:
    ecr.create_repository(repositoryName=TEAM)
    ecr.put_lifecycle_policy(repositoryName=TEAM, lifecyclePolicyText=json.dumps(EXPIRY))
    http.push(TEAM, image(), "v1")

    lab.call("PUT", "time", {"advance": "29d"})
    assert len(ecr.list_images(repositoryName=TEAM)["imageIds"]) == 1
    lab.call("PUT", "time", {"advance": "3d"})

    wait_until(lambda: ecr.list_images(repositoryName=TEAM)["imageIds"] == [])


def test_a_docker_token_expires_after_twelve_hours_of_the_lab(lab: Lab, ecr: Any) -> None:
    docker = Docker(lab.server.host, lab.server.port, docker_password(ecr))
    lab.call("PUT", "time", {"advance": "11h"})
    assert docker.get("/v2/").status == 200

    lab.call("PUT", "time", {"advance": "2h"})

    answer = docker.get("/v2/")
    assert (answer.status, answer.error_codes()) == (403, ["DENIED"])
    assert b"Your authorization token has expired" in answer.body


def test_pull_times_follow_the_clock(lab: Lab, ecr: Any, http: Docker) -> None:
    ecr.create_repository(repositoryName=TEAM)
    http.push(TEAM, image(), "v1")
    lab.call("PUT", "time", {"time": "2030-01-31T12:00:00Z", "stopped": True})
    docker = Docker(lab.server.host, lab.server.port, docker_password(ecr))

    assert docker.get(f"/v2/{TEAM}/manifests/v1").status == 200

    def pulled() -> float | None:
        detail = ecr.describe_images(repositoryName=TEAM)["imageDetails"][0]
        return detail["lastRecordedPullTime"].timestamp() if "lastRecordedPullTime" in detail else None

    wait_until(lambda: pulled() == 1896091200)


def test_jobs_go_on_after_the_clock_went_back(lab: Lab, ecr: Any, http: Docker) -> None:
    lab.call("PUT", "time", {"time": "2035-01-01T00:00:00Z"})
    lab.call("DELETE", "time")
    test_images_expire_when_their_time_has_come(lab, ecr, http)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"time": "soon"}, "must be a time such as 2030-01-31T12:00:00Z"),
        ({"advance": "x"}, "must be a duration"),
        ({"time": "0001-01-01T00:00:00Z"}, "the years from 1971 to 9999"),
        ({"advance": "999999999d"}, "the years from 1971 to 9999"),
        ({"time": "2030-01-01T00:00:00Z", "advance": "1h"}, "not both"),
    ],
)
def test_an_impossible_time_is_refused(lab: Lab, ecr: Any, body: Any, message: str) -> None:
    status, text = lab.refusal("PUT", "time", body)

    assert status == 400
    assert message in text
    assert refusal(ecr.describe_repositories, repositoryNames=["none"]).code == "RepositoryNotFoundException"
