"""TagResource, UntagResource and ListTagsForResource."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from tests.api.ecr.wire import ACCOUNT, refusal


def arn_of(repository: str) -> str:
    return f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/{repository}"


def pairs(**tags: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


@pytest.fixture
def arn(repository: str) -> str:
    return arn_of(repository)


def test_tags_are_merged_and_removed_by_key(ecr: Any, arn: str) -> None:
    ecr.tag_resource(resourceArn=arn, tags=pairs(one="1", two="2"))
    ecr.tag_resource(resourceArn=arn, tags=pairs(two="zwei", three=""))

    ecr.untag_resource(resourceArn=arn, tagKeys=["one", "never-there"])

    assert ecr.list_tags_for_resource(resourceArn=arn)["tags"] == pairs(three="", two="zwei")


def test_keys_and_values_have_letters_of_any_language_digits_spaces_and_some_signs(ecr: Any, arn: str) -> None:
    tags = [{"Key": "schlüssel + - = . _ : / @", "Value": "ファイル\u00a0٣"}, {"Key": "x" * 128, "Value": "y" * 256}]

    ecr.tag_resource(resourceArn=arn, tags=tags)

    found = ecr.list_tags_for_resource(resourceArn=arn)["tags"]
    assert sorted(found, key=str) == sorted(tags, key=str)


@pytest.mark.parametrize("character", [*"!\"#$%&'()*,;<>?[\\]^`{|}~\n\t\0🚢€"])
def test_other_characters_are_rejected_wherever_tags_are_given(ecr: Any, arn: str, character: str) -> None:
    """ECR rejects them with this exception. Its text was not captured."""
    message = "Tag keys and values can contain only letters, digits, spaces, and the characters + - = . _ : / @."
    create_template = partial(ecr.create_repository_creation_template, appliedFor=["CREATE_ON_PUSH"])
    for tag in ({"Key": f"a{character}b", "Value": ""}, {"Key": "a", "Value": f"{character}b"}):
        of_repository = refusal(ecr.create_repository, repositoryName="tests/odd-tag", tags=[tag])
        of_template = refusal(create_template, prefix="tests/odd-tag", resourceTags=[tag])

        assert refusal(ecr.tag_resource, resourceArn=arn, tags=[tag]) == of_repository
        assert of_repository == (400, "InvalidTagParameterException", message)
        assert of_template == (400, "ValidationException", message)
    assert ecr.list_tags_for_resource(resourceArn=arn)["tags"] == []
    assert refusal(ecr.describe_repositories, repositoryNames=["tests/odd-tag"]).code == "RepositoryNotFoundException"


def test_a_template_is_not_updated_with_tags_of_other_characters(ecr: Any) -> None:
    tags = pairs(team="red")
    ecr.create_repository_creation_template(prefix="tests/tags", appliedFor=["CREATE_ON_PUSH"], resourceTags=tags)

    update = ecr.update_repository_creation_template
    refused = refusal(update, prefix="tests/tags", resourceTags=pairs(team="red;blue"))

    templates = ecr.describe_repository_creation_templates(prefixes=["tests/tags"])["repositoryCreationTemplates"]
    assert refused.code == "ValidationException"
    assert templates[0]["resourceTags"] == tags
    ecr.delete_repository_creation_template(prefix="tests/tags")


def test_the_51st_tag_is_rejected_with_its_whole_call(ecr: Any, arn: str) -> None:
    ecr.tag_resource(resourceArn=arn, tags=pairs(**{f"key-{number:02}": "" for number in range(49)}))

    refused = refusal(ecr.tag_resource, resourceArn=arn, tags=pairs(one="", more=""))

    assert refused == (400, "TooManyTagsException", "The resource already has the maximum number of tags: 50")
    assert len(ecr.list_tags_for_resource(resourceArn=arn)["tags"]) == 49


def test_a_key_that_is_reserved_for_aws_is_rejected(ecr: Any, arn: str) -> None:
    refused = refusal(ecr.tag_resource, resourceArn=arn, tags=pairs(**{"AWS:owner": "me"}))

    assert refused == (
        400,
        "InvalidTagParameterException",
        "aws: prefixed tag key names are not allowed for external use.",
    )


def test_a_repeated_key_is_rejected(ecr: Any, arn: str) -> None:
    refused = refusal(ecr.tag_resource, resourceArn=arn, tags=[*pairs(one="1"), *pairs(one="2")])

    assert refused == (
        400,
        "InvalidTagParameterException",
        "Duplicate tag keys found. Please note that Tag keys are case sensitive.",
    )


def test_a_repository_with_an_invalid_tag_is_not_created(ecr: Any) -> None:
    refused = refusal(ecr.create_repository, repositoryName="tests/bad-tag", tags=pairs(**{"aws:x": "y"}))

    assert refused.code == "InvalidTagParameterException"
    assert refusal(ecr.describe_repositories, repositoryNames=["tests/bad-tag"]).code == "RepositoryNotFoundException"


@pytest.mark.parametrize(
    "tag", [{"Key": "", "Value": ""}, {"Key": "x" * 129, "Value": ""}, {"Key": "x", "Value": "y" * 257}]
)
def test_keys_and_values_have_a_maximum_length(ecr: Any, arn: str, tag: dict[str, str]) -> None:
    """The API reference names them. The service model does not."""
    refused = refusal(ecr.tag_resource, resourceArn=arn, tags=[tag])

    message = "A tag key has 1 to 128 characters and a tag value 0 to 256."
    assert refused == (400, "InvalidTagParameterException", message)
    assert ecr.list_tags_for_resource(resourceArn=arn)["tags"] == []


def test_a_tag_without_a_value_is_rejected(unchecked: Any, arn: str) -> None:
    assert refusal(unchecked.tag_resource, resourceArn=arn, tags=[{"Key": "x"}]) == (
        400,
        "InvalidParameterException",
        "Invalid parameter at 'tags.1.member.value' failed to satisfy constraint: 'Member must not be null'",
    )


@pytest.mark.parametrize(
    "arn",
    [
        "repository/name",
        f"arn:aws:ecr:us-east-1:{ACCOUNT}:registry/name",
        f"arn:aws:s3:us-east-1:{ACCOUNT}:repository/name",
        f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/",
        f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/UPPER",
        f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/name\n",
        "arn:aws:ecr:us-east-1:12345:repository/name",
    ],
)
def test_an_arn_that_is_not_of_a_repository_is_rejected(ecr: Any, arn: str) -> None:
    refused = (
        400,
        "InvalidParameterException",
        "Invalid parameter at 'resourceArn' failed to satisfy constraint: 'Invalid ARN'",
    )

    assert refusal(ecr.list_tags_for_resource, resourceArn=arn) == refused
    assert refusal(ecr.tag_resource, resourceArn=arn, tags=pairs(a="b")) == refused
    assert refusal(ecr.untag_resource, resourceArn=arn, tagKeys=["a"]) == refused


def test_an_unknown_repository_is_rejected(ecr: Any) -> None:
    refused = (
        400,
        "RepositoryNotFoundException",
        f"The repository with name 'tests/nobody' does not exist in the registry with id '{ACCOUNT}'",
    )

    assert refusal(ecr.list_tags_for_resource, resourceArn=arn_of("tests/nobody")) == refused
    assert refusal(ecr.tag_resource, resourceArn=arn_of("tests/nobody"), tags=pairs(a="b")) == refused
    assert refusal(ecr.untag_resource, resourceArn=arn_of("tests/nobody"), tagKeys=["a"]) == refused
