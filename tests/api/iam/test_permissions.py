"""Who may call IAM: paths, tags and conditions of policies, other accounts, and what errors reveal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.api.ecr.wire import ACCOUNT, refusal
from tests.api.iam.conftest import TRUST, document, iam_client
from tests.support.server import Server

USERS = f"arn:aws:iam::{ACCOUNT}:user"
NewName = Callable[[], str]


def test_a_user_without_policies_can_do_nothing(client_of: Callable[..., Any], name: str) -> None:
    refused = refusal(client_of(name).get_user)

    assert (refused.status, refused.code) == (403, "AccessDenied")
    assert refused.message == (
        f"User: {USERS}/{name} is not authorized to perform: iam:GetUser on resource: {USERS}/{name} "
        "because no identity-based policy allows the iam:GetUser action"
    )


def test_the_path_of_what_exists_decides(iam: Any, client_of: Callable[..., Any], new_name: NewName) -> None:
    admin = client_of(new_name(), document("iam:*", resource=f"{USERS}/team/*"))
    inside, outside = new_name(), new_name()
    admin.create_user(UserName=inside, Path="/team/")
    iam.create_user(UserName=outside)

    assert admin.get_user(UserName=inside)["User"]["Path"] == "/team/"
    assert refusal(admin.create_user, UserName=new_name()).code == "AccessDenied"
    denied = refusal(admin.get_user, UserName=outside)
    assert denied.code == "AccessDenied"
    # The same for a user that does not exist, and for one that does.
    assert denied.message.replace(outside, "x") == refusal(admin.get_user, UserName="x").message
    assert refusal(admin.update_user, UserName=inside, NewPath="/").code == "AccessDenied"
    admin.update_user(UserName=inside, NewPath="/team/b/")


def test_a_deny_of_a_path_holds_although_requests_name_no_path(
    iam: Any, client_of: Callable[..., Any], new_name: NewName
) -> None:
    name = new_name()
    iam.create_user(UserName=name, Path="/admins/")
    everything = document("iam:*")
    deny = document("iam:CreateAccessKey", resource=f"{USERS}/admins/*").replace("Allow", "Deny")
    helper, helper_name = None, new_name()
    helper = client_of(helper_name, everything)
    iam.put_user_policy(UserName=helper_name, PolicyName="deny", PolicyDocument=deny)

    refused = refusal(helper.create_access_key, UserName=name)

    assert "with an explicit deny in an identity-based policy" in refused.message


def test_conditions_on_tags_and_on_the_attached_policy(
    iam: Any, client_of: Callable[..., Any], new_name: NewName
) -> None:
    allowed = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly"
    conditions = {
        "iam:AttachUserPolicy": {"ArnEquals": {"iam:PolicyARN": allowed}},
        "iam:DeleteUser": {"StringEquals": {"aws:ResourceTag/team": "a"}},
        "iam:CreateUser": {"StringEquals": {"aws:RequestTag/team": "a"}},
        "iam:TagUser": {"StringEquals": {"aws:RequestTag/team": "a"}},
        "iam:GetUser": {"StringEquals": {"iam:ResourceTag/team": "${aws:PrincipalTag/team}"}},
    }
    admin_name, name, other = new_name(), new_name(), new_name()
    admin = client_of(admin_name, Tags=[{"Key": "team", "Value": "a"}])
    for action, condition in conditions.items():
        policy = document(action, Condition=condition)
        iam.put_user_policy(UserName=admin_name, PolicyName=action.partition(":")[2], PolicyDocument=policy)

    admin.create_user(UserName=name, Tags=[{"Key": "team", "Value": "a"}])
    assert refusal(admin.create_user, UserName=other, Tags=[{"Key": "team", "Value": "b"}]).code == "AccessDenied"
    iam.create_user(UserName=other, Tags=[{"Key": "team", "Value": "b"}])
    assert admin.get_user(UserName=name)
    assert refusal(admin.get_user, UserName=other).code == "AccessDenied"
    admin.attach_user_policy(UserName=name, PolicyArn=allowed)
    full = allowed.replace("PullOnly", "FullAccess")
    assert refusal(admin.attach_user_policy, UserName=name, PolicyArn=full).code == "AccessDenied"
    iam.detach_user_policy(UserName=name, PolicyArn=allowed)
    admin.delete_user(UserName=name)
    assert refusal(admin.delete_user, UserName=other).code == "AccessDenied"


def test_the_tags_of_a_caller_are_conditions_at_once(
    iam: Any, ecr: Any, server: Server, client_of: Callable[..., Any], name: str
) -> None:
    admin = client_of(name, document("iam:ListUsers", Condition={"StringEquals": {"aws:PrincipalTag/stage": "b"}}))
    assert refusal(admin.list_users).code == "AccessDenied"

    iam.tag_user(UserName=name, Tags=[{"Key": "stage", "Value": "b"}])

    assert admin.list_users()["Users"]


def test_another_account_sees_nothing(iam: Any, server: Server, name: str) -> None:
    exports = server.moorage("account", "create", "888888888888").splitlines()
    stranger = iam_client(server, *(line.partition("=")[2] for line in exports if line.startswith("export ")))
    iam.create_user(UserName=name)
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
    key = iam.create_access_key(UserName=name)["AccessKey"]["AccessKeyId"]
    arn = iam.create_policy(PolicyName=name, PolicyDocument=document("ecr:*"))["Policy"]["Arn"]

    assert stranger.list_users()["Users"] == stranger.list_roles()["Roles"] == []
    assert refusal(stranger.get_user, UserName=name).code == "NoSuchEntity"
    assert refusal(stranger.get_access_key_last_used, AccessKeyId=key).code == "NoSuchEntity"
    assert refusal(stranger.delete_access_key, AccessKeyId=key).code == "NoSuchEntity"
    for policy in (arn, arn + "x"):
        denied = refusal(stranger.get_policy, PolicyArn=policy)
        assert denied.code == "AccessDenied"
        assert denied.message.endswith("because no resource-based policy allows the iam:GetPolicy action")
        stranger_user = f"x-{policy[-1]}-{name}"
        stranger.create_user(UserName=stranger_user)
        assert refusal(stranger.attach_user_policy, UserName=stranger_user, PolicyArn=policy) == (
            404,
            "NoSuchEntity",
            f"Policy {policy} was not found.",
        )
    source = f"{USERS}/{name}"
    simulated = refusal(stranger.simulate_principal_policy, PolicySourceArn=source, ActionNames=["ecr:PutImage"])
    assert simulated.code == "AccessDenied"
    custom = refusal(
        stranger.simulate_custom_policy,
        PolicyInputList=[document("ecr:*")],
        ActionNames=["ecr:PutImage"],
        CallerArn=source,
    )
    assert custom.code == "NoSuchEntity"
