"""CreateRepository, DescribeRepositories and DeleteRepository."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from tests.api.ecr.pushing import push
from tests.api.ecr.wire import ACCOUNT, Wire, refusal
from tests.support.images import image
from tests.support.server import Server

NAME_RULE = "must satisfy regular expression '(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*'"


def names(found: dict[str, Any]) -> list[str]:
    return [row["repositoryName"] for row in found["repositories"]]


def not_found(name: str) -> tuple[int, str, str]:
    message = f"The repository with name '{name}' does not exist in the registry with id '{ACCOUNT}'"
    return 400, "RepositoryNotFoundException", message


def test_a_new_repository_is_described_in_full(ecr: Any, server: Server) -> None:
    created = ecr.create_repository(repositoryName="tests/described-in-full")["repository"]

    assert abs(created["createdAt"].timestamp() - time.time()) < 60
    assert created == {
        "repositoryArn": f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/tests/described-in-full",
        "registryId": ACCOUNT,
        "repositoryName": "tests/described-in-full",
        "repositoryUri": f"localhost:{server.port}/tests/described-in-full",
        "createdAt": created["createdAt"],
        "imageTagMutability": "MUTABLE",
        "imageScanningConfiguration": {"scanOnPush": False},
        "encryptionConfiguration": {"encryptionType": "AES256"},
    }
    assert ecr.describe_repositories(repositoryNames=[created["repositoryName"]])["repositories"] == [created]


def test_a_time_is_a_number_of_seconds_on_the_wire(wire: Wire, repository: str) -> None:
    described = wire.call("DescribeRepositories", {"repositoryNames": [repository]}).json()["repositories"][0]

    assert isinstance(described["createdAt"], float)
    assert abs(described["createdAt"] - time.time()) < 60


def test_settings_of_a_new_repository_are_kept(ecr: Any) -> None:
    created = ecr.create_repository(
        repositoryName="tests/settings-are-kept",
        registryId=ACCOUNT,
        imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
        imageTagMutabilityExclusionFilters=[{"filterType": "WILDCARD", "filter": "dev-*"}],
        imageScanningConfiguration={"scanOnPush": True},
        encryptionConfiguration={"encryptionType": "AES256"},
        tags=[{"Key": "team", "Value": "harbour"}],
    )["repository"]

    assert created["imageTagMutability"] == "IMMUTABLE_WITH_EXCLUSION"
    assert created["imageTagMutabilityExclusionFilters"] == [{"filterType": "WILDCARD", "filter": "dev-*"}]
    assert created["imageScanningConfiguration"] == {"scanOnPush": True}
    assert ecr.list_tags_for_resource(resourceArn=created["repositoryArn"])["tags"] == [
        {"Key": "team", "Value": "harbour"}
    ]
    assert ecr.describe_repositories(repositoryNames=[created["repositoryName"]])["repositories"] == [created]


def test_a_name_can_be_used_once(ecr: Any, repository: str) -> None:
    assert refusal(ecr.create_repository, repositoryName=repository) == (
        400,
        "RepositoryAlreadyExistsException",
        f"The repository with name '{repository}' already exists in the registry with id '{ACCOUNT}'",
    )


@pytest.mark.parametrize(
    "name",
    [
        "UPPER",
        "with space",
        "double//slash",
        "a/../b",
        "..",
        "/leading",
        "trailing/",
        "-dash",
        "dash-",
        "dots..dots",
        "three___underscores",
        "new\nline",
        "newline-at-the-end\n",
        "ümlaut",
        "nul\0",
        "percent%2f",
    ],
)
@pytest.mark.parametrize("operation", ["create_repository", "delete_repository", "initiate_layer_upload"])
def test_a_name_outside_the_grammar_is_rejected(unchecked: Any, operation: str, name: str) -> None:
    assert refusal(getattr(unchecked, operation), repositoryName=name) == (
        400,
        "InvalidParameterException",
        f"Invalid parameter at 'repositoryName' failed to satisfy constraint: '{NAME_RULE}'",
    )


@pytest.mark.parametrize(
    ("name", "constraint"),
    [
        ("", "Member must have length greater than or equal to 2"),
        ("a", "Member must have length greater than or equal to 2"),
        ("a" * 257, "Member must have length less than or equal to 256"),
        ("a" * 300, "Member must have length less than or equal to 256"),
        (None, "Member must not be null"),
    ],
)
def test_a_name_has_2_to_256_characters(wire: Wire, name: str | None, constraint: str) -> None:
    refused = wire.call("CreateRepository", {"repositoryName": name}).refusal

    message = f"Invalid parameter at 'repositoryName' failed to satisfy constraint: '{constraint}'"
    assert refused == (400, "InvalidParameterException", message)


@pytest.mark.parametrize("name", ["00", "a" * 256, "a.b_c-d/e__f/g---h"])
def test_the_longest_and_shortest_parts_of_the_grammar_are_accepted(ecr: Any, name: str) -> None:
    assert ecr.create_repository(repositoryName=name)["repository"]["repositoryName"] == name
    assert ecr.delete_repository(repositoryName=name)["repository"]["repositoryName"] == name


def test_deleting_a_repository_returns_it_and_then_it_does_not_exist(ecr: Any, repository: str) -> None:
    described = ecr.describe_repositories(repositoryNames=[repository])["repositories"][0]

    assert ecr.delete_repository(repositoryName=repository)["repository"] == described
    assert refusal(ecr.delete_repository, repositoryName=repository) == not_found(repository)
    assert refusal(ecr.describe_repositories, repositoryNames=[repository]) == not_found(repository)


@pytest.mark.parametrize("force", [{}, {"force": False}])
def test_a_repository_with_an_untagged_image_is_deleted_only_by_force(
    ecr: Any, repository: str, force: dict[str, bool]
) -> None:
    push(ecr, repository, image())

    assert refusal(ecr.delete_repository, repositoryName=repository, **force) == (
        400,
        "RepositoryNotEmptyException",
        (
            f"The repository with name '{repository}' in registry with id '{ACCOUNT}' "
            "cannot be deleted because it still contains images"
        ),
    )
    ecr.delete_repository(repositoryName=repository, force=True)
    assert refusal(ecr.describe_repositories, repositoryNames=[repository]) == not_found(repository)


def test_a_repository_that_is_created_again_is_empty(ecr: Any, repository: str) -> None:
    pushed = push(ecr, repository, image(), "v1")
    arn = f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/{repository}"
    ecr.tag_resource(resourceArn=arn, tags=[{"Key": "old", "Value": "yes"}])
    ecr.put_image_tag_mutability(repositoryName=repository, imageTagMutability="IMMUTABLE")

    ecr.delete_repository(repositoryName=repository, force=True)
    created = ecr.create_repository(repositoryName=repository)["repository"]

    assert created["imageTagMutability"] == "MUTABLE"
    assert ecr.list_images(repositoryName=repository)["imageIds"] == []
    assert ecr.list_tags_for_resource(resourceArn=arn)["tags"] == []
    digests = [blob.digest for blob in pushed.blobs]
    layers = ecr.batch_check_layer_availability(repositoryName=repository, layerDigests=digests)["layers"]
    assert [layer["layerAvailability"] for layer in layers] == ["UNAVAILABLE", "UNAVAILABLE"]


def test_one_unknown_name_fails_the_whole_request(ecr: Any, repository: str) -> None:
    refused = refusal(ecr.describe_repositories, repositoryNames=[repository, "tests/nobody-has-this"])

    assert refused == not_found("tests/nobody-has-this")


def test_pages_return_each_repository_once_ordered_by_name(
    clients: Callable[..., Any],
) -> None:
    ecr = clients(region="ap-southeast-5")  # No other test has repositories in this Region.
    created = [f"page/{number:03}" for number in range(7)]
    for name in reversed(created):
        ecr.create_repository(repositoryName=name)

    pages = list(ecr.get_paginator("describe_repositories").paginate(PaginationConfig={"PageSize": 3}))

    assert [names(page) for page in pages] == [created[:3], created[3:6], created[6:]]
    assert [bool(page.get("nextToken")) for page in pages] == [True, True, False]
    whole = ecr.describe_repositories(maxResults=7)
    assert names(whole) == created
    assert "nextToken" not in whole


def test_names_and_pages_exclude_each_other(ecr: Any, repository: str) -> None:
    assert refusal(ecr.describe_repositories, repositoryNames=[repository], maxResults=5) == (
        400,
        "InvalidParameterException",
        (
            "Invalid parameter at 'maxResults' failed to satisfy constraint: "
            "'maxResults cannot be used when repositoryNames is specified'"
        ),
    )
    assert refusal(ecr.describe_repositories, repositoryNames=[repository], nextToken="x") == (
        400,
        "InvalidParameterException",
        (
            "Invalid parameter at 'nextToken' failed to satisfy constraint: "
            "'nextToken cannot be used when repositoryNames is specified'"
        ),
    )


def test_a_token_is_only_accepted_for_the_list_that_it_belongs_to(
    ecr: Any, clients: Callable[..., Any], new_repository: Callable[[], str]
) -> None:
    """Not for another operation, repository, filter or Region, and not when it is forged."""
    first, second = new_repository(), new_repository()
    for repository in (first, second):
        push(ecr, repository, image(), "a", "b")
    token = ecr.list_images(repositoryName=first, maxResults=1)["nextToken"]
    forged = ("B" if token[0] == "A" else "A") + token[1:]
    refused = (
        400,
        "InvalidParameterException",
        "Invalid parameter at 'nextToken' failed to satisfy constraint: 'Invalid token'",
    )

    assert refusal(ecr.describe_repositories, nextToken=token) == refused
    assert refusal(ecr.describe_images, repositoryName=first, nextToken=token) == refused
    assert refusal(ecr.list_images, repositoryName=second, nextToken=token) == refused
    assert refusal(ecr.list_images, repositoryName=first, nextToken=token, filter={"tagStatus": "TAGGED"}) == refused
    assert refusal(ecr.list_images, repositoryName=first, nextToken=forged) == refused
    assert refusal(ecr.list_images, repositoryName=first, nextToken="nonsense!") == refused
    elsewhere = clients(region="eu-north-1")
    elsewhere.create_repository(repositoryName=first)
    assert refusal(elsewhere.list_images, repositoryName=first, nextToken=token) == refused
    assert len(ecr.list_images(repositoryName=first, nextToken=token)["imageIds"]) == 1


@pytest.mark.parametrize(
    ("most", "constraint"), [(0, "greater than or equal to 1"), (1001, "less than or equal to 1000")]
)
def test_a_page_has_1_to_1000_rows(unchecked: Any, most: int, constraint: str) -> None:
    assert refusal(unchecked.describe_repositories, maxResults=most) == (
        400,
        "InvalidParameterException",
        f"Invalid parameter at 'maxResults' failed to satisfy constraint: 'Member must have value {constraint}'",
    )


def test_a_name_in_two_regions_is_two_repositories(clients: Callable[..., Any]) -> None:
    here, there = clients(region="eu-west-1"), clients(region="us-gov-west-1")
    push(here, here.create_repository(repositoryName="two/regions")["repository"]["repositoryName"], image(), "v1")

    found = refusal(there.describe_repositories, repositoryNames=["two/regions"])
    created = there.create_repository(repositoryName="two/regions")["repository"]

    assert found == not_found("two/regions")
    assert re.fullmatch(rf"arn:aws[a-z-]*:ecr:us-gov-west-1:{ACCOUNT}:repository/two/regions", created["repositoryArn"])
    assert there.list_images(repositoryName="two/regions")["imageIds"] == []
    assert len(here.list_images(repositoryName="two/regions")["imageIds"]) == 1
    assert isinstance(created["createdAt"], datetime)
