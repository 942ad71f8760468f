"""Requests against the model: each of the 216 constraints, types, nulls, and ECR's messages."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from moorage.aws.codec import decode
from moorage.aws.service_model import OPERATIONS, SHAPES, Operation
from moorage.domain.errors import InvalidParameter, Serialization
from tests.unit.aws.samples import MATCHING, broken_requests, sample

OPERATION_LIST = sorted(OPERATIONS.values(), key=lambda operation: operation.name)

KMS_RESPONSES = "AliasNameType BackingKeyIdType CloudHsmClusterIdType RegionType XksKeyIdType"

IAM_RESPONSES = (
    "accountAliasType certificateBodyType certificateIdType groupNameType idType instanceProfileNameType"
    " publicKeyIdType serialNumberType serviceCredentialAlias serviceSpecificCredentialId serviceUserName"
)


def decoded(operation: Operation, request: Any) -> dict[str, Any]:
    return decode(operation, msgspec.json.encode(request))


def refusal(operation: Operation, request: Any) -> str:
    with pytest.raises(InvalidParameter) as caught:
        decoded(operation, request)
    return str(caught.value)


# --- The model's constraints ----------------------------------------------------------------------------------------


def test_every_pattern_has_a_matching_text() -> None:
    """The samples are useful only if each is accepted. A few patterns are of responses alone."""
    of_responses = {
        "Base64",
        *(f"secretsmanager:{name}" for name in ("DurationType", "ResourcePolicyNameType", "ScheduleExpressionType")),
        *(f"iam:{name}" for name in IAM_RESPONSES.split()),
        *(f"kms:{name}" for name in KMS_RESPONSES.split()),
    }
    assert set(MATCHING) == {name for name, shape in SHAPES.items() if shape.pattern} - of_responses
    assert all(re.fullmatch(SHAPES[name].pattern or "", text) for name, text in MATCHING.items())


@pytest.mark.parametrize("operation", OPERATION_LIST, ids=lambda operation: operation.name)
def test_a_request_with_every_member_is_accepted_unchanged(operation: Operation) -> None:
    request = sample(operation.input_shape)

    result = decoded(operation, request)

    if operation.name == "UploadLayerPart":
        request["layerPartBlob"] = b"layer"
    assert result == request


@pytest.mark.parametrize("operation", OPERATION_LIST, ids=lambda operation: operation.name)
def test_each_broken_constraint_is_named_with_its_path(operation: Operation) -> None:
    for request, parameter, constraint in broken_requests(operation):
        expected = f"Invalid parameter at '{parameter}' failed to satisfy constraint: '{constraint}'"

        assert refusal(operation, request) == expected


def test_the_model_has_216_constraints_on_inputs() -> None:
    reached: set[str] = set()

    def reach(name: str) -> None:
        shape = SHAPES[name]
        if name not in reached:
            reached.add(name)
            for child in [*shape.members.values(), *filter(None, [shape.member])]:
                reach(child)

    for operation in OPERATION_LIST:
        reach(operation.input_shape)
    shapes = [SHAPES[name] for name in reached]
    rules = [(each.min is not None) + (each.max is not None) + bool(each.pattern) + bool(each.enum) for each in shapes]
    assert sum(rules) + sum(len(each.required) for each in shapes) == 216


@pytest.mark.parametrize(
    ("operation", "request_", "message"),
    [
        (
            "InitiateLayerUpload",
            {"repositoryName": "Team/App"},
            (
                "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular expression "
                "'(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*''"
            ),
        ),
        (
            "BatchGetImage",
            {"repositoryName": "team/app", "imageIds": []},
            (
                "Invalid parameter at 'imageIds' failed to satisfy constraint: "
                "'Member must have length greater than or equal to 1'"
            ),
        ),
        (
            "ListImages",
            {"repositoryName": "team/app", "maxResults": 1001},
            (
                "Invalid parameter at 'maxResults' failed to satisfy constraint: "
                "'Member must have value less than or equal to 1000'"
            ),
        ),
        (
            "GetAuthorizationToken",
            {"registryIds": ["12345"]},
            (
                "Invalid parameter at 'registryIds' failed to satisfy constraint: "
                "'Member must satisfy constraint: [Member must satisfy regular expression pattern: [0-9]{12}]'"
            ),
        ),
        (
            "BatchGetImage",
            {"repositoryName": "team/app", "imageIds": [{"imageTag": "v1"}, {"imageTag": ""}]},
            (
                "Invalid parameter at 'imageIds.2.member.imageTag' failed to satisfy constraint: "
                "'Member must have length greater than or equal to 1'"
            ),
        ),
        (
            "CreateRepository",
            {"repositoryName": "team/app", "tags": [{"Value": "x"}]},
            "Invalid parameter at 'tags.1.member.key' failed to satisfy constraint: 'Member must not be null'",
        ),
    ],
)
def test_messages_are_those_of_ecr(operation: str, request_: Any, message: str) -> None:
    """Sources: ECR's responses recorded by moto and LocalStack; README of github.com/aws-actions/amazon-ecr-login."""
    assert refusal(OPERATIONS[operation], request_) == message


@pytest.mark.parametrize(
    "name",
    ["..", "../etc", "a//b", "/a", "a/", "A", "a" * 300, "a..b", "a._b", "-a", "a%2fb", "a\n", "é", "a\x00", "1"],
)
def test_an_invalid_repository_name_is_refused(name: str) -> None:
    assert "'repositoryName'" in refusal(OPERATIONS["InitiateLayerUpload"], {"repositoryName": name})


@pytest.mark.parametrize("name", ["a__b", "a--b", "a---b/c", "a.b_c-d/e", "a1", "a" * 256])
def test_every_repository_name_of_the_model_is_accepted(name: str) -> None:
    assert decoded(OPERATIONS["InitiateLayerUpload"], {"repositoryName": name})["repositoryName"] == name


def test_length_is_reported_before_pattern() -> None:
    assert "length less than or equal to 256" in refusal(
        OPERATIONS["InitiateLayerUpload"], {"repositoryName": "!" * 257}
    )


# --- Types, nulls and unknown members -------------------------------------------------------------------------------


def test_null_is_absent_and_unknown_members_are_dropped() -> None:
    request = {
        "repositoryName": "team/app",
        "registryId": None,
        "surprise": {"a": [1]},
        "imageIds": [{"imageTag": "v1"}],
    }

    assert decoded(OPERATIONS["BatchGetImage"], request) == {
        "repositoryName": "team/app",
        "imageIds": [{"imageTag": "v1"}],
    }


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("repositoryName", 5),
        ("repositoryName", True),
        ("repositoryName", ["team/app"]),
        ("repositoryName", {"name": "team/app"}),
        ("maxResults", "10"),
        ("maxResults", True),
        ("maxResults", 10.0),
        ("maxResults", 2**31),
        ("maxResults", [10]),
        ("filter", "TAGGED"),
        ("filter", []),
        ("filter", {"tagStatus": 1}),
    ],
)
def test_another_json_type_is_a_serialization_error(member: str, value: object) -> None:
    """Also if a constraint is broken elsewhere: AWS reads the whole body before it checks constraints."""
    for name in ("team/app", "NOT A NAME"):
        with pytest.raises(Serialization):
            decoded(OPERATIONS["ListImages"], {"repositoryName": name, member: value})


def test_the_text_of_a_serialization_error_names_the_token() -> None:
    with pytest.raises(Serialization, match="NUMBER_VALUE cannot be converted to String"):
        decoded(OPERATIONS["PutImage"], {"repositoryName": 5})


@pytest.mark.parametrize("item", [None, {"imageTag": None}])
def test_null_in_a_list_of_structures(item: object) -> None:
    request = {"repositoryName": "team/app", "imageIds": [item]}
    if item is None:
        assert "'imageIds.1.member'" in refusal(OPERATIONS["BatchGetImage"], request)
    else:
        assert decoded(OPERATIONS["BatchGetImage"], request)["imageIds"] == [{}]


def test_null_in_a_list_of_texts_is_refused() -> None:
    message = refusal(OPERATIONS["UntagResource"], {"resourceArn": "arn", "tagKeys": ["a", None]})

    assert message.endswith(
        "'tagKeys' failed to satisfy constraint: 'Member must satisfy constraint: [Member must not be null]'"
    )
