"""Users and access keys, as boto3 sees them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from moorage.domain.identity.callers import ROOT
from tests.api.ecr.wire import ACCOUNT, Refusal, refusal
from tests.api.iam.conftest import document, iam_client, trust
from tests.support.server import Server
from tests.support.waiting import wait_until


def test_a_user_has_a_path_an_id_and_tags(iam: Any, name: str) -> None:
    created = iam.create_user(UserName=name, Path="/team/ci/", Tags=[{"Key": "Team", "Value": "a"}])["User"]

    assert created["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/team/ci/{name}"
    assert created["UserId"].startswith("AIDA")
    assert created["Tags"] == [{"Key": "Team", "Value": "a"}]
    assert iam.get_user(UserName=name)["User"] == created
    assert name in {user["UserName"] for user in iam.list_users(PathPrefix="/team/")["Users"]}
    assert name not in {user["UserName"] for user in iam.list_users(PathPrefix="/teams")["Users"]}


def test_a_request_without_a_name_is_about_its_caller(iam: Any, client_of: Callable[..., Any], name: str) -> None:
    ann = client_of(
        name, document("iam:GetUser", "iam:*AccessKey*", resource=f"arn:aws:iam::*:user/x/{name}"), Path="/x/"
    )

    assert ann.get_user()["User"]["UserName"] == name
    made = ann.create_access_key()["AccessKey"]
    ann.update_access_key(AccessKeyId=made["AccessKeyId"], Status="Inactive")
    states = {key["AccessKeyId"]: key["Status"] for key in ann.list_access_keys()["AccessKeyMetadata"]}
    assert sorted(states.values()) == ["Active", "Inactive"]
    assert states[made["AccessKeyId"]] == "Inactive"
    ann.delete_access_key(AccessKeyId=made["AccessKeyId"])
    assert len(ann.list_access_keys()["AccessKeyMetadata"]) == 1
    root = iam.get_user()["User"]
    assert (root["Arn"], root["UserId"]) == (f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)


def test_the_session_of_a_role_is_no_user(iam: Any, server: Server, new_name: Callable[[], str]) -> None:
    user, role = new_name(), new_name()
    iam.create_user(UserName=user)
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust(f"arn:aws:iam::{ACCOUNT}:user/{user}"))
    iam.put_role_policy(RoleName=role, PolicyName="own", PolicyDocument=document("iam:*"))
    key = iam.create_access_key(UserName=user)["AccessKey"]
    sts = iam_client(server, key["AccessKeyId"], key["SecretAccessKey"], service="sts")
    made = sts.assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{role}", RoleSessionName="ci")["Credentials"]
    session = iam_client(server, made["AccessKeyId"], made["SecretAccessKey"], aws_session_token=made["SessionToken"])

    assert session.get_user(UserName=user)["User"]["UserName"] == user
    refused = refusal(session.get_user)
    assert (refused.status, refused.code) == (400, "ValidationError")
    assert "Must specify userName" in refused.message


def test_the_root_user_has_no_name(iam: Any) -> None:
    """Whoever may create access keys of every user would otherwise get one of the root user."""
    missing = Refusal(404, "NoSuchEntity", f"The user with name {ROOT} cannot be found.")

    for call in (iam.get_user, iam.create_access_key, iam.list_access_keys, iam.delete_user):
        assert refusal(call, UserName=ROOT) == missing
    assert (
        refusal(iam.attach_user_policy, UserName=ROOT, PolicyArn="arn:aws:iam::aws:policy/SecretsManagerReadWrite")
        == missing
    )
    assert refusal(iam.create_user, UserName=ROOT).code == "EntityAlreadyExists"
    assert ROOT not in {user["UserName"] for user in iam.list_users()["Users"]}


def test_names_are_taken_once_and_not_found_otherwise(iam: Any, name: str) -> None:
    assert refusal(iam.get_user, UserName=name) == (404, "NoSuchEntity", f"The user with name {name} cannot be found.")
    iam.create_user(UserName=name)
    assert refusal(iam.create_user, UserName=name) == (
        409,
        "EntityAlreadyExists",
        f"User with name {name} already exists.",
    )
    assert refusal(iam.create_user, UserName="a b").code == "ValidationError"
    assert refusal(iam.create_user, UserName=name, PermissionsBoundary="arn:aws:iam::aws:policy/x").message == (
        "Moorage does not support PermissionsBoundary"
    )


def test_a_user_is_deleted_when_nothing_belongs_to_it(iam: Any, name: str) -> None:
    arn = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly"
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]["AccessKeyId"]
    iam.attach_user_policy(UserName=name, PolicyArn=arn)
    iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=document("ecr:*"))

    def conflict() -> str:
        refused = refusal(iam.delete_user, UserName=name)
        assert (refused.status, refused.code) == (409, "DeleteConflict")
        return str(refused.message)

    assert conflict() == "Cannot delete entity, must delete access keys first."
    iam.delete_access_key(UserName=name, AccessKeyId=key)
    assert conflict() == "Cannot delete entity, must detach all policies first."
    iam.detach_user_policy(UserName=name, PolicyArn=arn)
    assert conflict() == "Cannot delete entity, must delete policies first."
    iam.delete_user_policy(UserName=name, PolicyName="own")
    iam.delete_user(UserName=name)
    assert refusal(iam.delete_user, UserName=name).code == "NoSuchEntity"


def test_a_user_has_two_keys_and_only_its_own(iam: Any, new_name: Callable[[], str]) -> None:
    name, other = new_name(), new_name()
    for user in (name, other):
        iam.create_user(UserName=user)
    first = iam.create_access_key(UserName=name)["AccessKey"]["AccessKeyId"]
    iam.create_access_key(UserName=name)

    assert refusal(iam.create_access_key, UserName=name) == (
        409,
        "LimitExceeded",
        "Cannot exceed quota for AccessKeysPerUser: 2",
    )
    for call, more in ((iam.update_access_key, {"Status": "Inactive"}), (iam.delete_access_key, {})):
        assert refusal(call, UserName=other, AccessKeyId=first, **more) == (
            404,
            "NoSuchEntity",
            f"The Access Key with id {first} cannot be found.",
        )
    assert refusal(iam.update_access_key, UserName=name, AccessKeyId=first, Status="Expired").code == "InvalidInput"


def test_the_last_use_of_a_key_is_shown(iam: Any, client_of: Callable[..., Any], name: str) -> None:
    ann = client_of(name, document("iam:GetUser"))
    (key,) = iam.list_access_keys(UserName=name)["AccessKeyMetadata"]
    before = iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])
    assert before["UserName"] == name
    assert before["AccessKeyLastUsed"] == {"ServiceName": "N/A", "Region": "N/A"}

    ann.get_user()

    def used() -> Any:
        return iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])["AccessKeyLastUsed"].get("LastUsedDate")

    wait_until(used)  # The server records it after it has answered.
    assert used() >= key["CreateDate"]
    assert refusal(iam.get_access_key_last_used, AccessKeyId="AKIA" + "A" * 16).code == "NoSuchEntity"


def test_a_renamed_user_keeps_keys_and_policies_and_is_named_by_policies(
    iam: Any, client_of: Callable[..., Any], new_name: Callable[[], str]
) -> None:
    old, new, role = new_name(), new_name(), new_name()
    ann = client_of(old, document("iam:GetUser"))
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust(f"arn:aws:iam::{ACCOUNT}:user/{old}"))

    iam.update_user(UserName=old, NewUserName=new, NewPath="/new/")

    assert ann.get_user()["User"]["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/new/{new}"
    principal = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]
    assert principal == {"AWS": f"arn:aws:iam::{ACCOUNT}:user/new/{new}"}
    iam.create_user(UserName=old)
    assert refusal(iam.update_user, UserName=old, NewUserName=new).code == "EntityAlreadyExists"


@pytest.mark.parametrize("operation", ["list_groups_for_user", "list_mfa_devices", "list_ssh_public_keys"])
def test_lists_of_what_users_do_not_have_are_empty(iam: Any, name: str, operation: str) -> None:
    iam.create_user(UserName=name)

    listed = getattr(iam, operation)(UserName=name)

    assert [value for value in listed.values() if isinstance(value, list)] == [[]]
    assert refusal(getattr(iam, operation), UserName="nobody").code == "NoSuchEntity"
    assert refusal(iam.delete_login_profile, UserName=name).code == "NoSuchEntity"
