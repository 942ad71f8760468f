"""Secrets by boto3: values, versions and stages, deletion and recovery, lists and tags.

Texts: Secrets Manager API reference, and moto's tests of recorded responses (tests/test_secretsmanager).
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.api.ecr.wire import refusal
from tests.api.services.calls import ACCOUNT

NOT_FOUND = (400, "ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
DELETED = (
    400,
    "InvalidRequestException",
    "You can't perform this operation on the secret because it was marked for deletion.",
)


def invalid(text: str) -> tuple[int, str, str]:
    return 400, "InvalidParameterException", text


# --- Values and versions ------------------------------------------------------------------------------------------


def test_a_secret_is_read_as_it_was_written_by_name_arn_and_partial_arn(secrets: Any, name: str) -> None:
    created = secrets.create_secret(Name=name, SecretString="s3cret", Description="hub")

    assert re.fullmatch(rf"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:{name}-[A-Za-z0-9]{{6}}", created["ARN"])
    assert created["Name"] == name
    for secret_id in (name, created["ARN"], created["ARN"][:-7]):
        value = secrets.get_secret_value(SecretId=secret_id)
        assert (value["SecretString"], value["ARN"], value["Name"]) == ("s3cret", created["ARN"], name)
        assert (value["VersionId"], value["VersionStages"]) == (created["VersionId"], ["AWSCURRENT"])
        assert "SecretBinary" not in value
    assert secrets.get_resource_policy(SecretId=name)["ARN"] == created["ARN"]
    assert "ResourcePolicy" not in secrets.get_resource_policy(SecretId=name)


@pytest.mark.parametrize("content", [b"\x00\xff", b"x" * 65_536], ids=["two bytes", "64 KiB"])
def test_a_binary_secret_is_returned_byte_for_byte(secrets: Any, name: str, content: bytes) -> None:
    secrets.create_secret(Name=name, SecretBinary=content)

    value = secrets.get_secret_value(SecretId=name)

    assert value["SecretBinary"] == content
    assert "SecretString" not in value


def test_a_value_has_at_most_64_kib(secrets: Any, name: str) -> None:
    """The service's quota is in bytes; the model counts characters."""
    secrets.create_secret(Name=name, SecretString="é" * 32_768)

    assert secrets.get_secret_value(SecretId=name)["SecretString"] == "é" * 32_768
    assert refusal(secrets.put_secret_value, SecretId=name, SecretString="é" * 32_769) == invalid(
        "A secret value has 1 to 65536 bytes."
    )
    too_long = refusal(secrets.put_secret_value, SecretId=name, SecretBinary=b"x" * 65_537)
    assert too_long.message.endswith(
        "Value at 'secretBinary' failed to satisfy constraint: Member must have length less than or equal to 65536"
    )


def test_the_current_version_becomes_the_previous_one(secrets: Any, name: str) -> None:
    first = secrets.create_secret(Name=name, SecretString="1")["VersionId"]
    second = secrets.put_secret_value(SecretId=name, SecretString="2")
    third = secrets.update_secret(SecretId=name, SecretString="3")["VersionId"]

    assert second["VersionStages"] == ["AWSCURRENT"]
    assert secrets.get_secret_value(SecretId=name)["SecretString"] == "3"
    assert secrets.get_secret_value(SecretId=name, VersionStage="AWSPREVIOUS")["SecretString"] == "2"
    assert secrets.get_secret_value(SecretId=name, VersionId=first)["SecretString"] == "1"
    stages = {third: ["AWSCURRENT"], second["VersionId"]: ["AWSPREVIOUS"]}
    assert secrets.describe_secret(SecretId=name)["VersionIdsToStages"] == stages
    missing = str(uuid.uuid4())
    text = "Secrets Manager can't find the specified secret value for "
    assert refusal(secrets.get_secret_value, SecretId=name, VersionId=missing).message == f"{text}VersionId: {missing}"
    assert refusal(secrets.get_secret_value, SecretId=name, VersionStage="none").message == f"{text}staging label: none"


def test_a_request_that_is_repeated_with_its_token_changes_nothing(secrets: Any, name: str) -> None:
    """API reference, ClientRequestToken: a repeated value succeeds, another value is an error."""
    first, second = str(uuid.uuid4()), str(uuid.uuid4())
    for _ in range(2):
        created = secrets.create_secret(Name=name, SecretString="1", ClientRequestToken=first)
        assert created["VersionId"] == first
    for _ in range(2):
        put = secrets.put_secret_value(SecretId=name, SecretString="2", ClientRequestToken=second)
        assert put["VersionId"] == second

    refused = refusal(secrets.put_secret_value, SecretId=name, SecretString="3", ClientRequestToken=second)
    assert refused.code == "ResourceExistsException"
    assert refusal(secrets.create_secret, Name=name, SecretString="1") == (
        400,
        "ResourceExistsException",
        f"The operation failed because the secret {name} already exists.",
    )
    assert len(secrets.list_secret_version_ids(SecretId=name)["Versions"]) == 2


def test_a_stage_is_moved_and_removed(secrets: Any, name: str) -> None:
    first = secrets.create_secret(Name=name, SecretString="1")["VersionId"]
    second = secrets.put_secret_value(SecretId=name, SecretString="2", VersionStages=["test"])["VersionId"]
    assert secrets.get_secret_value(SecretId=name)["SecretString"] == "1"

    secrets.update_secret_version_stage(
        SecretId=name, VersionStage="AWSCURRENT", RemoveFromVersionId=first, MoveToVersionId=second
    )
    secrets.update_secret_version_stage(SecretId=name, VersionStage="test", RemoveFromVersionId=second)

    stages = secrets.describe_secret(SecretId=name)["VersionIdsToStages"]
    assert stages == {first: ["AWSPREVIOUS"], second: ["AWSCURRENT"]}


def test_the_versions_are_listed_in_pages(secrets: Any, name: str) -> None:
    created = [secrets.create_secret(Name=name, SecretString="1")["VersionId"]]
    created += [secrets.put_secret_value(SecretId=name, SecretString=str(i))["VersionId"] for i in range(3)]

    listed: list[Any] = []
    token: dict[str, str] = {}
    while True:
        page = secrets.list_secret_version_ids(SecretId=name, IncludeDeprecated=True, MaxResults=3, **token)
        listed += page["Versions"]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}

    assert [version["VersionId"] for version in listed] == created
    shown = secrets.list_secret_version_ids(SecretId=name)["Versions"]
    assert [version["VersionId"] for version in shown] == created[-2:]
    assert refusal(secrets.list_secret_version_ids, SecretId=name, NextToken="x").code == "InvalidNextTokenException"


@pytest.mark.parametrize(
    ("request_", "refused"),
    [
        ({}, (400, "InvalidRequestException", "You must provide either SecretString or SecretBinary.")),
        (
            {"SecretString": "a", "SecretBinary": b"a"},
            invalid("You can't specify both a binary secret value and a string secret value in the same secret."),
        ),
        ({"SecretString": "a", "RotationToken": "x" * 36}, invalid("Moorage does not support RotationToken.")),
    ],
)
def test_a_put_has_one_value(secrets: Any, name: str, request_: dict[str, Any], refused: tuple[int, str, str]) -> None:
    secrets.create_secret(Name=name)

    assert refusal(secrets.put_secret_value, SecretId=name, **request_) == refused


# --- The secret itself --------------------------------------------------------------------------------------------


def test_a_secret_is_described_and_changed(secrets: Any, name: str) -> None:
    secrets.create_secret(Name=name, Tags=[{"Key": "team", "Value": "a"}])
    described = secrets.describe_secret(SecretId=name)

    assert described["Tags"] == [{"Key": "team", "Value": "a"}]
    assert "Description" not in described
    assert described["VersionIdsToStages"] == {}
    assert refusal(secrets.get_secret_value, SecretId=name).message.endswith("staging label: AWSCURRENT")
    secrets.update_secret(SecretId=name, Description="new")
    secrets.tag_resource(SecretId=name, Tags=[{"Key": "team", "Value": "b"}, {"Key": "stage", "Value": ""}])
    secrets.untag_resource(SecretId=name, TagKeys=["team"])
    changed = secrets.describe_secret(SecretId=name)
    assert (changed["Description"], changed["Tags"]) == ("new", [{"Key": "stage", "Value": ""}])
    assert changed["LastChangedDate"] >= described["LastChangedDate"]


@pytest.mark.parametrize(
    ("request_", "refused"),
    [
        (
            {"Name": "a b"},
            invalid("Invalid name. Must be a valid name containing alphanumeric characters, or any of: -/_+=.@!"),
        ),
        ({"AddReplicaRegions": [{"Region": "eu-west-1"}]}, invalid("Moorage does not support AddReplicaRegions.")),
        (
            {"Tags": [{"Value": "a"}]},
            invalid("Each tag needs a key of its own, which does not begin with aws:."),
        ),
        (
            {"Tags": [{"Key": "a"}, {"Key": "a"}]},
            invalid("Each tag needs a key of its own, which does not begin with aws:."),
        ),
    ],
)
def test_a_secret_that_cannot_be_kept_is_refused(
    secrets: Any, name: str, request_: dict[str, Any], refused: tuple[int, str, str]
) -> None:
    assert refusal(secrets.create_secret, **{"Name": name, **request_}) == refused


def test_a_key_that_does_not_exist_encrypts_nothing(secrets: Any, name: str) -> None:
    assert refusal(secrets.create_secret, Name=name, KmsKeyId="alias/none").code == "EncryptionFailure"


def test_a_deleted_secret_can_be_restored_until_its_recovery_window_ends(secrets: Any, name: str) -> None:
    secrets.create_secret(Name=name, SecretString="1")

    deleted = secrets.delete_secret(SecretId=name, RecoveryWindowInDays=7)

    assert timedelta(days=6, hours=23) < deleted["DeletionDate"] - datetime.now(UTC) < timedelta(days=7, hours=1)
    assert secrets.describe_secret(SecretId=name)["DeletedDate"] == deleted["DeletionDate"]
    for call in (secrets.get_secret_value, secrets.delete_secret, secrets.update_secret):
        assert refusal(call, SecretId=name) == DELETED
    assert refusal(secrets.create_secret, Name=name).code == "InvalidRequestException"
    secrets.restore_secret(SecretId=name)
    assert secrets.get_secret_value(SecretId=name)["SecretString"] == "1"


def test_a_forced_deletion_is_final_and_can_be_repeated(secrets: Any, name: str) -> None:
    """API reference: a forced deletion of a secret that does not exist succeeds."""
    arn = secrets.create_secret(Name=name, SecretString="1")["ARN"]
    secrets.delete_secret(SecretId=name)

    for _ in range(2):
        assert secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)["Name"] == name
    assert refusal(secrets.describe_secret, SecretId=name) == NOT_FOUND
    assert secrets.create_secret(Name=name)["ARN"] != arn


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        ({"RecoveryWindowInDays": 6}, "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive)."),
        ({"RecoveryWindowInDays": 31}, "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive)."),
        (
            {"RecoveryWindowInDays": 7, "ForceDeleteWithoutRecovery": True},
            "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
        ),
    ],
)
def test_a_recovery_window_has_7_to_30_days(secrets: Any, name: str, request_: dict[str, Any], text: str) -> None:
    secrets.create_secret(Name=name)

    assert refusal(secrets.delete_secret, SecretId=name, **request_) == invalid(text)


OPERATIONS_ON_ONE: list[tuple[str, dict[str, Any]]] = [
    ("describe_secret", {}),
    ("get_secret_value", {}),
    ("put_secret_value", {"SecretString": "x"}),
    ("update_secret", {}),
    ("delete_secret", {}),
    ("restore_secret", {}),
    ("tag_resource", {"Tags": []}),
    ("untag_resource", {"TagKeys": []}),
    ("get_resource_policy", {}),
    ("list_secret_version_ids", {}),
    ("update_secret_version_stage", {"VersionStage": "x"}),
]


@pytest.mark.parametrize(("operation", "more"), OPERATIONS_ON_ONE)
def test_a_secret_that_does_not_exist_is_not_found(secrets: Any, operation: str, more: dict[str, Any]) -> None:
    other = f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:elsewhere-AAAAAA"
    for secret_id in ("none", f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:none-AAAAAA", other):
        assert refusal(getattr(secrets, operation), SecretId=secret_id, **more) == NOT_FOUND


# --- Lists --------------------------------------------------------------------------------------------------------


def test_secrets_are_listed_and_filtered(secrets: Any, new_name: Callable[[], str]) -> None:
    team = f"team-{uuid.uuid4()}"
    names = [new_name() for _ in range(3)]
    for name in names:
        secrets.create_secret(Name=name, Description="Of the Hub", Tags=[{"Key": team, "Value": name[-1]}])
    secrets.delete_secret(SecretId=names[2])

    def listed(*filters: tuple[str, str], **more: Any) -> list[str]:
        given = [{"Key": key, "Values": [value]} for key, value in (("tag-key", team), *filters)]
        pages = secrets.get_paginator("list_secrets").paginate(Filters=given, PaginationConfig={"PageSize": 1}, **more)
        return [secret["Name"] for page in pages for secret in page["SecretList"]]

    assert listed() == names[:2]
    assert listed(IncludePlannedDeletion=True) == names
    assert listed(("name", names[0])) == names[:1]
    assert listed(("name", f"!{names[0]}")) == names[1:2]
    assert listed(("description", "hub")) == listed(("all", "HUB")) == names[:2]
    assert listed(("tag-value", names[1][-1])) == names[1:2]
    assert listed(("tag-value", "none")) == []
    assert refusal(secrets.list_secrets, Filters=[{"Key": "owning-service", "Values": ["x"]}]).code == (
        "InvalidParameterException"
    )
    assert refusal(secrets.list_secrets, SortOrder="desc").code == "InvalidParameterException"
    assert refusal(secrets.list_secrets, NextToken="x").code == "InvalidNextTokenException"
