"""The calls of Terraform's AWS provider for a secret and its versions: create, read, update, delete, read again.

From `internal/service/secretsmanager` of the provider (secret.go, secret_version.go). It reads the policy after each
change of a secret, finds a version by its id, and moves stages away before it deletes a version that has some.
"""

from __future__ import annotations

import json
import uuid
from typing import Any

from tests.api.ecr.wire import refusal


def read(secrets: Any, arn: str) -> dict[str, Any]:
    """`resourceSecretRead`."""
    described: dict[str, Any] = secrets.describe_secret(SecretId=arn)
    policy = secrets.get_resource_policy(SecretId=described["ARN"])
    assert "ResourcePolicy" not in policy
    return described


def test_a_secret_is_created_read_changed_and_destroyed_at_once(secrets: Any, name: str) -> None:
    """`recovery_window_in_days = 0`."""
    created = secrets.create_secret(
        Name=name,
        Description="of the Hub",
        ForceOverwriteReplicaSecret=False,
        ClientRequestToken=str(uuid.uuid4()),
        Tags=[{"Key": "team", "Value": "a"}],
    )
    arn = created["ARN"]
    state = read(secrets, arn)
    assert (state["Name"], state["Description"], state["Tags"]) == (
        name,
        "of the Hub",
        [{"Key": "team", "Value": "a"}],
    )

    secrets.update_secret(SecretId=arn, Description="", ClientRequestToken=str(uuid.uuid4()))
    secrets.untag_resource(SecretId=arn, TagKeys=["team"])
    secrets.tag_resource(SecretId=arn, Tags=[{"Key": "stage", "Value": "b"}])
    state = read(secrets, arn)
    assert (state.get("Description", ""), state["Tags"]) == ("", [{"Key": "stage", "Value": "b"}])

    secrets.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)
    assert refusal(secrets.describe_secret, SecretId=arn).code == "ResourceNotFoundException"


def test_a_version_is_written_found_replaced_and_destroyed(secrets: Any, name: str) -> None:
    arn = secrets.create_secret(Name=name)["ARN"]

    def written(value: dict[str, str]) -> str:
        token = str(uuid.uuid4())
        put = secrets.put_secret_value(SecretId=arn, ClientRequestToken=token, SecretString=json.dumps(value))
        assert put["VersionId"] == token
        found = secrets.get_secret_value(SecretId=arn, VersionId=token)
        assert (found["SecretString"], found["ARN"]) == (json.dumps(value), arn)
        assert found["VersionStages"] == ["AWSCURRENT"]
        return token

    first = written({"username": "a", "accessToken": "b"})
    second = written({"username": "a", "accessToken": "c"})
    listed = secrets.list_secret_version_ids(SecretId=arn, IncludeDeprecated=True)["Versions"]
    assert [(version["VersionId"], version["VersionStages"]) for version in listed] == [
        (first, ["AWSPREVIOUS"]),
        (second, ["AWSCURRENT"]),
    ]

    # A version that is destroyed keeps AWSCURRENT; its other stages are removed one by one.
    secrets.update_secret_version_stage(SecretId=arn, VersionStage="AWSPREVIOUS", RemoveFromVersionId=first)
    listed = secrets.list_secret_version_ids(SecretId=arn)["Versions"]
    assert [version["VersionId"] for version in listed] == [second]
    secrets.delete_secret(SecretId=arn, RecoveryWindowInDays=7)
    assert "DeletedDate" in secrets.describe_secret(SecretId=arn)


def test_a_version_with_stages_of_its_own_is_changed_in_place(secrets: Any, name: str) -> None:
    """`resourceSecretVersionUpdate` adds the new stages, and removes those that are left."""
    arn = secrets.create_secret(Name=name)["ARN"]
    token = "terraform-20260902180000000000000001"
    secrets.put_secret_value(
        SecretId=arn, ClientRequestToken=token, SecretBinary=b"test", VersionStages=["one", "AWSCURRENT"]
    )

    def state() -> tuple[bytes, set[str]]:
        found = secrets.get_secret_value(SecretId=arn, VersionId=token)
        assert "SecretString" not in found
        return found["SecretBinary"], set(found["VersionStages"])

    assert state() == (b"test", {"one", "AWSCURRENT"})
    secrets.update_secret_version_stage(SecretId=arn, VersionStage="two", MoveToVersionId=token)
    secrets.update_secret_version_stage(SecretId=arn, VersionStage="one", RemoveFromVersionId=token)
    assert state() == (b"test", {"two", "AWSCURRENT"})


def test_a_version_that_was_replaced_first_counts_as_destroyed(secrets: Any, name: str) -> None:
    """`create_before_destroy`: the old version is read until it has no stage but AWSCURRENT or AWSPREVIOUS."""
    arn = secrets.create_secret(Name=name)["ARN"]
    old, new = (secrets.put_secret_value(SecretId=arn, SecretString=value)["VersionId"] for value in "ab")

    assert secrets.get_secret_value(SecretId=arn, VersionId=old)["VersionStages"] == ["AWSPREVIOUS"]
    assert secrets.get_secret_value(SecretId=arn, VersionId=new)["VersionStages"] == ["AWSCURRENT"]


def test_errors_of_a_secret_that_is_gone_are_those_that_the_provider_looks_for(secrets: Any, name: str) -> None:
    """Other codes or texts would end `terraform destroy` and `terraform apply` with an error, without another try."""
    arn = secrets.create_secret(Name=name, SecretString="a")["ARN"]
    (version,) = secrets.list_secret_version_ids(SecretId=arn)["Versions"]
    token = version["VersionId"]
    of_version = (
        (secrets.get_secret_value, {"SecretId": arn, "VersionId": token}),
        (
            secrets.update_secret_version_stage,
            {"SecretId": arn, "VersionStage": "one", "RemoveFromVersionId": token},
        ),
    )

    secrets.delete_secret(SecretId=arn, RecoveryWindowInDays=30)
    for call, request in of_version:
        refused = refusal(call, **request)
        assert refused.code == "InvalidRequestException"
        assert "because it was marked for deletion" in refused.message
    refused = refusal(secrets.create_secret, Name=name)
    assert refused.code == "InvalidRequestException"
    assert "scheduled for deletion" in refused.message

    secrets.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)
    for call, request in (*of_version, (secrets.describe_secret, {"SecretId": arn})):
        assert refusal(call, **request).code == "ResourceNotFoundException"
    assert secrets.create_secret(Name=name)["ARN"] != arn
