"""lastRecordedPullTime, and principals whose pulls do not change it (API, RegisterPullTimeUpdateExclusion)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.api.ecr.conftest import KeyedUser
from tests.api.ecr.pushing import push
from tests.api.ecr.wire import ACCOUNT, Refusal, client_of, refusal
from tests.conftest import StartServer
from tests.support.aws import docker_password
from tests.support.http_client import Docker
from tests.support.images import image, index
from tests.support.server import Server
from tests.support.waiting import wait_until

ROLE = f"arn:aws:iam::{ACCOUNT}:role/scanners/nightly"


def pull_time(ecr: Any, repository: str, tag: str = "v1") -> Any:
    (detail,) = ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])["imageDetails"]
    return detail.get("lastRecordedPullTime")


def recorded_pull_time(ecr: Any, repository: str, tag: str = "v1") -> Any:
    """The pull time, once it is written."""
    wait_until(lambda: pull_time(ecr, repository, tag) is not None)
    return pull_time(ecr, repository, tag).timestamp()


def not_there(principal: str) -> Refusal:
    message = f"The pull time update exclusion for '{principal}' does not exist in the registry with id '{ACCOUNT}'"
    return Refusal(400, "ExclusionNotFoundException", message)


def test_a_pull_at_either_endpoint_is_recorded_and_a_look_is_not(
    ecr: Any, http: Docker, new_repository: Callable[[], str]
) -> None:
    api, docker, looked = (new_repository() for _ in range(3))
    for name in (api, docker, looked):
        push(ecr, name, image(), "v1")
    before = time.time()

    http.head(f"/v2/{looked}/manifests/v1")
    ecr.batch_get_image(repositoryName=looked, imageIds=[{"imageTag": "other"}])
    ecr.list_images(repositoryName=looked)
    ecr.batch_get_image(repositoryName=api, imageIds=[{"imageTag": "v1"}])
    http.get(f"/v2/{docker}/manifests/v1")

    for name in (api, docker):
        assert before - 1 < recorded_pull_time(ecr, name) < time.time() + 1
    assert pull_time(ecr, looked) is None


def test_an_image_of_an_index_is_pulled_when_it_is_requested(ecr: Any, http: Docker, repository: str) -> None:
    used, unused = image(seed=1), image(seed=2)
    push(ecr, repository, used, "used")
    push(ecr, repository, unused, "unused")
    push(ecr, repository, index([used, unused]), "v1")

    http.get(f"/v2/{repository}/manifests/v1")
    http.get(f"/v2/{repository}/manifests/{used.manifest.digest}")

    recorded_pull_time(ecr, repository, "v1")
    recorded_pull_time(ecr, repository, "used")
    assert pull_time(ecr, repository, "unused") is None


def test_a_pull_just_before_the_server_stops_is_recorded(fresh_server: StartServer) -> None:
    server = fresh_server()
    ecr = client_of(server)
    ecr.create_repository(repositoryName="app")
    push(ecr, "app", image(), "v1")
    ecr.batch_get_image(repositoryName="app", imageIds=[{"imageTag": "v1"}])

    server.restart()

    assert pull_time(ecr, "app") is not None


def test_pulls_of_an_excluded_user_do_not_change_the_time(
    ecr: Any, reader: KeyedUser, server: Server, new_repository: Callable[[], str]
) -> None:
    excluded, counted = new_repository(), new_repository()
    for name in (excluded, counted):
        push(ecr, name, image(), "v1")
    principal = f"arn:aws:iam::{ACCOUNT}:user/{reader.name}"
    ecr.register_pull_time_update_exclusion(principalArn=principal)
    docker = Docker(server.host, server.port, docker_password(reader.ecr))

    docker.get(f"/v2/{excluded}/manifests/v1")
    reader.ecr.batch_get_image(repositoryName=excluded, imageIds=[{"imageTag": "v1"}])
    ecr.deregister_pull_time_update_exclusion(principalArn=principal)
    docker.get(f"/v2/{counted}/manifests/v1")

    recorded_pull_time(ecr, counted)
    assert pull_time(ecr, excluded) is None


def test_exclusions_are_registered_listed_and_deregistered(clients: Callable[..., Any]) -> None:
    """As Terraform's resource does it: create, read, delete, read again."""
    ecr = clients(region="eu-west-3")

    answer = ecr.register_pull_time_update_exclusion(principalArn=ROLE)

    assert answer["principalArn"] == ROLE
    assert abs(answer["createdAt"].timestamp() - time.time()) < 60
    assert ecr.list_pull_time_update_exclusions()["pullTimeUpdateExclusions"] == [ROLE]
    assert clients(region="eu-west-1").list_pull_time_update_exclusions()["pullTimeUpdateExclusions"] == []
    assert ecr.deregister_pull_time_update_exclusion(principalArn=ROLE)["principalArn"] == ROLE
    assert ecr.list_pull_time_update_exclusions()["pullTimeUpdateExclusions"] == []


def test_an_exclusion_is_registered_once_and_deregistered_once(clients: Callable[..., Any]) -> None:
    ecr = clients(region="ap-south-1")
    ecr.register_pull_time_update_exclusion(principalArn=ROLE)

    assert refusal(ecr.register_pull_time_update_exclusion, principalArn=ROLE) == (
        400,
        "ExclusionAlreadyExistsException",
        f"The pull time update exclusion for '{ROLE}' already exists in the registry with id '{ACCOUNT}'",
    )
    ecr.deregister_pull_time_update_exclusion(principalArn=ROLE)
    assert refusal(ecr.deregister_pull_time_update_exclusion, principalArn=ROLE) == not_there(ROLE)


def test_a_registry_has_at_most_100_exclusions_returned_in_pages(clients: Callable[..., Any]) -> None:
    ecr = clients(region="ap-south-2")
    principals = [f"arn:aws:iam::{ACCOUNT}:role/role-{number:03}" for number in range(101)]
    for principal in principals[:100]:
        ecr.register_pull_time_update_exclusion(principalArn=principal)

    refused = refusal(ecr.register_pull_time_update_exclusion, principalArn=principals[100])
    pages, request = [], {"maxResults": 60}
    while True:
        page = ecr.list_pull_time_update_exclusions(**request)
        pages.append(page["pullTimeUpdateExclusions"])
        if "nextToken" not in page:
            break
        request["nextToken"] = page["nextToken"]

    assert refused.code == "LimitExceededException"
    assert [len(page) for page in pages] == [60, 40]
    assert [principal for page in pages for principal in page] == principals[:100]


@pytest.mark.parametrize(
    "principal",
    [
        f"arn:aws:iam::{ACCOUNT}:root",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/nightly/session",
        f"arn:aws:iam::{ACCOUNT}:group/all",
        "arn:aws:iam::12:role/short",
        f"arn:aws:iam::{ACCOUNT}:role/" + "r" * 200,
        "*",
    ],
)
def test_only_users_and_roles_can_be_excluded(ecr: Any, principal: str) -> None:
    assert refusal(ecr.register_pull_time_update_exclusion, principalArn=principal).code == "InvalidParameterException"
    assert principal not in ecr.list_pull_time_update_exclusions()["pullTimeUpdateExclusions"]
