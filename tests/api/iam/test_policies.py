"""Roles, managed policies with their versions, attachments, inline policies and tags."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from moorage.domain.identity.managed_policies import MANAGED_POLICIES
from tests.api.ecr.wire import ACCOUNT, refusal
from tests.api.iam.conftest import TRUST, document

READ_ONLY = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly"


def test_a_policy_has_up_to_five_versions_of_which_one_applies(iam: Any, client_of: Any, name: str) -> None:
    user = client_of(name)
    arn = iam.create_policy(PolicyName=name, PolicyDocument=document("iam:GetUser"), Path="/team/")["Policy"]["Arn"]
    assert arn == f"arn:aws:iam::{ACCOUNT}:policy/team/{name}"
    iam.attach_user_policy(UserName=name, PolicyArn=arn)
    assert user.get_user()

    second = iam.create_policy_version(PolicyArn=arn, PolicyDocument=document("ecr:*"))["PolicyVersion"]
    assert (second["VersionId"], second["IsDefaultVersion"]) == ("v2", False)
    assert user.get_user()
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v2")
    assert refusal(user.get_user).code == "AccessDenied"

    for _ in range(3):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=document("ecr:*"), SetAsDefault=True)
    refused = refusal(iam.create_policy_version, PolicyArn=arn, PolicyDocument=document("ecr:*"))
    assert (refused.status, refused.code) == (409, "LimitExceeded")
    versions = iam.list_policy_versions(PolicyArn=arn)["Versions"]
    assert [version["VersionId"] for version in versions] == ["v5", "v4", "v3", "v2", "v1"]
    assert [version["IsDefaultVersion"] for version in versions] == [True, False, False, False, False]

    assert refusal(iam.delete_policy_version, PolicyArn=arn, VersionId="v5").code == "DeleteConflict"
    iam.delete_policy_version(PolicyArn=arn, VersionId="v4")
    made = iam.create_policy_version(PolicyArn=arn, PolicyDocument=document("iam:GetUser"), SetAsDefault=True)
    assert made["PolicyVersion"]["VersionId"] == "v6"  # A number is never used again.
    assert user.get_user()
    assert iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v6"
    assert refusal(iam.get_policy_version, PolicyArn=arn, VersionId="v4").code == "NoSuchEntity"


def test_the_command_adds_a_version_and_drops_the_oldest(iam: Any, server: Any, name: str) -> None:
    server.moorage("policy", "create", name, "-", stdin=document("ecr:*"))
    arn = f"arn:aws:iam::{ACCOUNT}:policy/{name}"
    for _ in range(6):
        server.moorage("policy", "update", name, "-", stdin=document("ecr:PutImage"))

    versions = [version["VersionId"] for version in iam.list_policy_versions(PolicyArn=arn)["Versions"]]

    assert versions == ["v7", "v6", "v5", "v4", "v3"]
    assert server.moorage("policy", "show", name).strip() == document("ecr:PutImage")
    server.moorage("policy", "delete", name)
    assert refusal(iam.list_policy_versions, PolicyArn=arn).code == "NoSuchEntity"


def test_a_policy_is_deleted_when_it_is_neither_attached_nor_has_versions(iam: Any, name: str) -> None:
    arn = iam.create_policy(PolicyName=name, PolicyDocument=document("ecr:*"), Description="all")["Policy"]["Arn"]
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
    iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=document("ecr:*"))
    policy = iam.get_policy(PolicyArn=arn)["Policy"]
    assert (policy["AttachmentCount"], policy["Description"]) == (1, "all")
    assert [role["RoleName"] for role in iam.list_entities_for_policy(PolicyArn=arn)["PolicyRoles"]] == [name]
    assert iam.list_entities_for_policy(PolicyArn=arn, EntityFilter="User")["PolicyRoles"] == []

    assert "more than one version" in refusal(iam.delete_policy, PolicyArn=arn).message
    iam.delete_policy_version(PolicyArn=arn, VersionId="v2")
    assert refusal(iam.delete_policy, PolicyArn=arn).message == "Cannot delete a policy attached to entities."
    assert refusal(iam.delete_role, RoleName=name).message == "Cannot delete entity, must detach all policies first."
    iam.detach_role_policy(RoleName=name, PolicyArn=arn)
    iam.delete_policy(PolicyArn=arn)
    assert refusal(iam.get_policy, PolicyArn=arn) == (404, "NoSuchEntity", f"Policy {arn} was not found.")
    assert refusal(iam.detach_role_policy, RoleName=name, PolicyArn=arn).code == "NoSuchEntity"
    again = iam.create_policy(PolicyName=name, PolicyDocument=document("ecr:*"))["Policy"]
    assert again["PolicyId"] != policy["PolicyId"]


def test_policies_of_aws_are_there_and_cannot_be_changed(iam: Any, name: str) -> None:
    listed = iam.list_policies(Scope="AWS")["Policies"]
    assert [policy["PolicyName"] for policy in listed] == sorted(MANAGED_POLICIES)
    version = iam.get_policy_version(PolicyArn=READ_ONLY, VersionId="v1")["PolicyVersion"]
    assert "ecr:BatchGetImage" in version["Document"]["Statement"][0]["Action"]

    for call, more in (
        (iam.create_policy_version, {"PolicyDocument": document("ecr:*")}),
        (iam.tag_policy, {"Tags": [{"Key": "a", "Value": "b"}]}),
        (iam.delete_policy, {}),
    ):
        refused = refusal(call, PolicyArn=READ_ONLY, **more)
        assert refused.code == "InvalidInput"
        assert "managed by AWS" in refused.message
    iam.create_user(UserName=name)
    wrong_path = READ_ONLY.replace("policy/", "policy/service-role/")
    assert refusal(iam.attach_user_policy, UserName=name, PolicyArn=wrong_path).code == "NoSuchEntity"
    assert refusal(iam.get_policy, PolicyArn="arn:aws:iam::aws:user/x").code == "InvalidInput"


def test_a_user_has_at_most_ten_attached_policies(iam: Any, name: str) -> None:
    iam.create_user(UserName=name)
    arns = [
        iam.create_policy(PolicyName=f"{name}-{number}", PolicyDocument=document("ecr:*"))["Policy"]["Arn"]
        for number in range(11)
    ]
    for arn in arns[:10]:
        iam.attach_user_policy(UserName=name, PolicyArn=arn)

    refused = refusal(iam.attach_user_policy, UserName=name, PolicyArn=arns[10])

    assert refused == (409, "LimitExceeded", "Cannot exceed quota for PoliciesPerUser: 10")
    pages = iam.get_paginator("list_attached_user_policies").paginate(UserName=name, PaginationConfig={"PageSize": 3})
    assert {each["PolicyArn"] for page in pages for each in page["AttachedPolicies"]} == set(arns[:10])


@pytest.mark.parametrize(
    "text", ["{}", "no JSON", '{"Version": "2012-10-17", "Statement": [{"Effect": "Maybe"}]}', document("ecr:*") * 100]
)
def test_a_policy_that_iam_rejects_is_malformed(iam: Any, name: str, text: str) -> None:
    iam.create_user(UserName=name)

    for call, more in (
        (iam.create_policy, {"PolicyName": name}),
        (iam.put_user_policy, {"UserName": name, "PolicyName": name}),
    ):
        refused = refusal(call, PolicyDocument=text, **more)
        assert (refused.status, refused.code) == (400, "MalformedPolicyDocument")
    assert refusal(iam.create_role, RoleName=name, AssumeRolePolicyDocument=text).code == "MalformedPolicyDocument"


def test_a_role_is_created_changed_and_deleted(iam: Any, name: str) -> None:
    made = iam.create_role(
        RoleName=name, Path="/ci/", AssumeRolePolicyDocument=TRUST, Description="of CI", MaxSessionDuration=7200
    )["Role"]
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/ci/{name}"
    assert made["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"AWS": ACCOUNT}
    assert iam.get_role(RoleName=name)["Role"] == made | {"RoleLastUsed": {}}
    assert made in iam.list_roles(PathPrefix="/ci/")["Roles"]

    assert iam.update_role_description(RoleName=name, Description="é")["Role"]["Description"] == "é"
    iam.update_role(RoleName=name, MaxSessionDuration=3600)
    unknown = TRUST.replace(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/nobody")
    refused = refusal(iam.update_assume_role_policy, RoleName=name, PolicyDocument=unknown)
    assert refused.code == "MalformedPolicyDocument"
    assert refused.message == f'Invalid principal in policy: "AWS":"arn:aws:iam::{ACCOUNT}:user/nobody"'
    role = iam.get_role(RoleName=name)["Role"]
    assert (role["Description"], role["MaxSessionDuration"]) == ("é", 3600)
    assert iam.list_instance_profiles_for_role(RoleName=name)["InstanceProfiles"] == []
    iam.delete_role(RoleName=name)
    assert refusal(iam.get_role, RoleName=name) == (404, "NoSuchEntity", f"The role with name {name} cannot be found.")


@pytest.mark.parametrize("kind", ["user", "role"])
def test_inline_policies(iam: Any, name: str, kind: str) -> None:
    named = {"UserName" if kind == "user" else "RoleName": name}
    iam.create_user(UserName=name)
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)

    def call(verb: str, noun: str = "policy", **more: Any) -> Any:
        return getattr(iam, f"{verb}_{kind}_{noun}")(**named, **more)

    for policy in ("b", "a"):
        call("put", PolicyName=policy, PolicyDocument=document("ecr:*", resource="arn:aws:ecr:*:*:repository/é%+"))
    read = call("get", PolicyName="a")
    assert read["PolicyDocument"]["Statement"][0]["Resource"] == "arn:aws:ecr:*:*:repository/é%+"
    assert call("list", "policies")["PolicyNames"] == ["a", "b"]
    call("delete", PolicyName="a")
    with pytest.raises(iam.exceptions.NoSuchEntityException, match=f"The {kind} policy with name a cannot be found"):
        call("get", PolicyName="a")


@pytest.mark.parametrize("kind", ["user", "role", "policy", "open_id_connect_provider"])
def test_tags(iam: Any, name: str, kind: str) -> None:
    iam.create_user(UserName=name)
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
    policy = iam.create_policy(PolicyName=name, PolicyDocument=document("ecr:*"))["Policy"]["Arn"]
    provider = iam.create_open_id_connect_provider(Url=f"https://{name}.example", ClientIDList=["a"])
    named: dict[str, Any] = {
        "user": {"UserName": name},
        "role": {"RoleName": name},
        "policy": {"PolicyArn": policy},
        "open_id_connect_provider": {"OpenIDConnectProviderArn": provider["OpenIDConnectProviderArn"]},
    }[kind]

    def call(verb: str, noun: str = "", **more: Any) -> Any:
        return getattr(iam, f"{verb}_{kind}{noun}")(**named, **more)

    call("tag", Tags=[{"Key": "team", "Value": "a"}, {"Key": "stage", "Value": ""}])
    call("tag", Tags=[{"Key": "Team", "Value": "b"}])
    assert call("list", "_tags")["Tags"] == [{"Key": "Team", "Value": "b"}, {"Key": "stage", "Value": ""}]
    call("untag", TagKeys=["TEAM", "other"])
    assert call("list", "_tags")["Tags"] == [{"Key": "stage", "Value": ""}]
    for tags in ([{"Key": "aws:x", "Value": "a"}], [{"Key": "a", "Value": "a"}, {"Key": "A", "Value": "b"}]):
        with pytest.raises(iam.exceptions.InvalidInputException):
            call("tag", Tags=tags)
    call("tag", Tags=[{"Key": f"k{number}", "Value": "v"} for number in range(49)])
    with pytest.raises(iam.exceptions.LimitExceededException):
        call("tag", Tags=[{"Key": "one-more", "Value": "v"}])


def test_lists_have_pages(iam: Any, new_name: Callable[[], str]) -> None:
    made = sorted(new_name() for _ in range(5))
    for name in made:
        iam.create_user(UserName=name, Path="/paged/")
        iam.create_role(RoleName=name, Path="/paged/", AssumeRolePolicyDocument=TRUST)
        iam.create_policy(PolicyName=name, Path="/paged/", PolicyDocument=document("ecr:*"))

    def listed(operation: str, member: str, name: str, **more: Any) -> list[str]:
        pages = iam.get_paginator(operation).paginate(PathPrefix="/paged/", PaginationConfig={"PageSize": 2}, **more)
        found = [[each[name] for each in page[member]] for page in pages]
        assert [len(page) for page in found] == [2, 2, 1]
        return [each for page in found for each in page]

    assert listed("list_users", "Users", "UserName") == made
    assert listed("list_roles", "Roles", "RoleName") == made
    assert listed("list_policies", "Policies", "PolicyName") == made
    first = iam.list_policies(MaxItems=len(MANAGED_POLICIES) - 1)
    second = iam.list_policies(MaxItems=2, Marker=first["Marker"])
    assert [policy["Arn"].split(":")[4] for policy in second["Policies"]] == ["aws", ACCOUNT]
    attached = {policy["PolicyName"] for policy in iam.list_policies(OnlyAttached=True, Scope="Local")["Policies"]}
    assert not attached & set(made)
    refused = refusal(iam.list_roles, Marker=first["Marker"])
    assert (refused.status, refused.code, refused.message) == (400, "ValidationError", "Invalid Marker.")
