"""The calls of Terraform's AWS provider: create, read, change and destroy users, keys, roles, policies and providers.

From `internal/service/iam` of the provider (user.go, access_key.go, role.go, policy.go, role_policy_attachment.go,
openid_connect_provider.go).
"""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config

from tests.api.ecr.wire import ACCOUNT
from tests.api.iam.conftest import document, trust
from tests.support.issuer import AUDIENCE, Issuer


def gone(iam: Any, call: Any, **request: Any) -> bool:
    """How the provider finds that something no longer exists."""
    try:
        call(**request)
    except iam.exceptions.NoSuchEntityException:
        return True
    return False


def test_aws_iam_user_and_aws_iam_access_key(iam: Any, name: str) -> None:
    created = iam.create_user(UserName=name, Path="/", Tags=[{"Key": "managed", "Value": "terraform"}])["User"]
    state = iam.get_user(UserName=created["UserName"])["User"]
    assert (state["Path"], state["Arn"], state["Tags"]) == (created["Path"], created["Arn"], created["Tags"])

    key = iam.create_access_key(UserName=name)["AccessKey"]
    assert (key["Status"], len(key["SecretAccessKey"])) == ("Active", 40)
    listed = iam.list_access_keys(UserName=name)["AccessKeyMetadata"]
    assert [each["AccessKeyId"] for each in listed] == [key["AccessKeyId"]]
    iam.update_access_key(UserName=name, AccessKeyId=key["AccessKeyId"], Status="Inactive")
    assert iam.list_access_keys(UserName=name)["AccessKeyMetadata"][0]["Status"] == "Inactive"

    renamed = f"{name}-renamed"
    iam.update_user(UserName=name, NewUserName=renamed, NewPath="/team/")
    iam.untag_user(UserName=renamed, TagKeys=["managed"])
    iam.tag_user(UserName=renamed, Tags=[{"Key": "stage", "Value": "test"}])
    assert iam.get_user(UserName=renamed)["User"]["Tags"] == [{"Key": "stage", "Value": "test"}]

    # `force_destroy`: everything that a user can have is listed and deleted first.
    assert iam.list_groups_for_user(UserName=renamed)["Groups"] == []
    for each in iam.list_access_keys(UserName=renamed)["AccessKeyMetadata"]:
        iam.delete_access_key(UserName=renamed, AccessKeyId=each["AccessKeyId"])
    assert iam.list_ssh_public_keys(UserName=renamed)["SSHPublicKeys"] == []
    assert iam.list_virtual_mfa_devices(AssignmentStatus="Assigned")["VirtualMFADevices"] == []
    assert iam.list_mfa_devices(UserName=renamed)["MFADevices"] == []
    assert gone(iam, iam.delete_login_profile, UserName=renamed)
    assert iam.list_signing_certificates(UserName=renamed)["Certificates"] == []
    assert iam.list_service_specific_credentials(UserName=renamed)["ServiceSpecificCredentials"] == []
    iam.delete_user(UserName=renamed)
    assert gone(iam, iam.get_user, UserName=renamed)


def test_aws_iam_role_aws_iam_policy_and_aws_iam_role_policy_attachment(iam: Any, name: str) -> None:
    role = iam.create_role(
        RoleName=name,
        Path="/",
        AssumeRolePolicyDocument=trust(ACCOUNT),
        MaxSessionDuration=3600,
        Tags=[{"Key": "managed", "Value": "terraform"}],
    )["Role"]
    state = iam.get_role(RoleName=name)["Role"]
    assert state["AssumeRolePolicyDocument"] == role["AssumeRolePolicyDocument"]
    assert iam.list_role_policies(RoleName=name)["PolicyNames"] == []
    assert iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"] == []

    arn = iam.create_policy(PolicyName=name, PolicyDocument=document("ecr:BatchGetImage"))["Policy"]["Arn"]
    policy = iam.get_policy(PolicyArn=arn)["Policy"]
    version = iam.get_policy_version(PolicyArn=arn, VersionId=policy["DefaultVersionId"])["PolicyVersion"]
    assert version["Document"]["Statement"][0]["Action"] == ["ecr:BatchGetImage"]

    iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    assert attached == [{"PolicyName": name, "PolicyArn": arn}]

    # A change of a policy: the oldest version goes if there are five, and the new one becomes the default.
    for number in range(6):
        versions = iam.list_policy_versions(PolicyArn=arn)["Versions"]
        if len(versions) >= 5:
            oldest = min(
                (each for each in versions if not each["IsDefaultVersion"]), key=lambda each: each["CreateDate"]
            )
            iam.delete_policy_version(PolicyArn=arn, VersionId=oldest["VersionId"])
        text = document("ecr:BatchGetImage", resource=f"arn:aws:ecr:*:*:repository/{number}")
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=text, SetAsDefault=True)
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust(f"arn:aws:iam::{ACCOUNT}:root"))
    iam.update_role_description(RoleName=name, Description="changed")
    iam.update_role(RoleName=name, MaxSessionDuration=7200)
    assert iam.get_role(RoleName=name)["Role"]["MaxSessionDuration"] == 7200

    iam.detach_role_policy(RoleName=name, PolicyArn=arn)
    for each in iam.list_policy_versions(PolicyArn=arn)["Versions"]:
        if not each["IsDefaultVersion"]:
            iam.delete_policy_version(PolicyArn=arn, VersionId=each["VersionId"])
    iam.delete_policy(PolicyArn=arn)
    assert gone(iam, iam.get_policy, PolicyArn=arn)
    assert iam.list_instance_profiles_for_role(RoleName=name)["InstanceProfiles"] == []
    iam.delete_role(RoleName=name)
    assert gone(iam, iam.get_role, RoleName=name)


def test_aws_iam_role_policy_and_aws_iam_user_policy_attachment(iam: Any, name: str) -> None:
    managed = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPowerUser"
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(ACCOUNT))
    iam.create_user(UserName=name)

    iam.put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=document("ecr:*"))
    assert iam.get_role_policy(RoleName=name, PolicyName="inline")["PolicyDocument"]["Version"] == "2012-10-17"
    iam.delete_role_policy(RoleName=name, PolicyName="inline")
    assert gone(iam, iam.get_role_policy, RoleName=name, PolicyName="inline")

    iam.attach_user_policy(UserName=name, PolicyArn=managed)
    assert [each["PolicyArn"] for each in iam.list_attached_user_policies(UserName=name)["AttachedPolicies"]] == [
        managed
    ]
    iam.detach_user_policy(UserName=name, PolicyArn=managed)
    assert gone(iam, iam.detach_user_policy, UserName=name, PolicyArn=managed)


def test_aws_iam_openid_connect_provider(iam: Any, server: Any, name: str) -> None:
    url = f"https://{name}.example.org/tenant"
    arn = iam.create_open_id_connect_provider(Url=url, ClientIDList=["sts"], ThumbprintList=["0" * 40])[
        "OpenIDConnectProviderArn"
    ]
    assert arn == f"arn:aws:iam::{ACCOUNT}:oidc-provider/{name}.example.org/tenant"

    iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="other")
    iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="sts")
    iam.update_open_id_connect_provider_thumbprint(OpenIDConnectProviderArn=arn, ThumbprintList=["a" * 40])

    state = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert (state["Url"], state["ClientIDList"], state["ThumbprintList"]) == (
        url.removeprefix("https://"),
        ["other"],
        ["a" * 40],
    )
    assert {"Arn": arn} in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    with pytest.raises(iam.exceptions.EntityAlreadyExistsException):
        iam.create_open_id_connect_provider(Url=url, ClientIDList=["sts"])
    assert f"{url}\tother" in server.moorage("oidc", "list")
    for _ in range(2):  # Deleting a provider that is gone is no error.
        iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert gone(iam, iam.get_open_id_connect_provider, OpenIDConnectProviderArn=arn)


def test_a_provider_without_keys_accepts_no_token_until_a_command_sets_them(iam: Any, server: Any, name: str) -> None:
    issuer = Issuer(f"https://{name}.example.org")
    provider = iam.create_open_id_connect_provider(
        Url=issuer.url, ClientIDList=[AUDIENCE], Tags=[{"Key": "a", "Value": "b"}]
    )
    arn = provider["OpenIDConnectProviderArn"]
    policy = (
        trust("x").replace('"AWS": "x"', f'"Federated": "{arn}"').replace("AssumeRole", "AssumeRoleWithWebIdentity")
    )
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy)
    sts = boto3.session.Session().client(
        "sts", region_name="us-east-1", endpoint_url=server.url, config=Config(signature_version=UNSIGNED)
    )

    def assume() -> Any:
        return sts.assume_role_with_web_identity(
            RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{name}", RoleSessionName="ci", WebIdentityToken=issuer.token()
        )

    with pytest.raises(sts.exceptions.InvalidIdentityTokenException, match="has no keys yet: run `moorage oidc put`"):
        assume()
    server.moorage("oidc", "put", issuer.url, "--audience", AUDIENCE, "--keys", "-", stdin=issuer.key_set())

    assert assume()["Credentials"]
    tags = iam.list_open_id_connect_provider_tags(OpenIDConnectProviderArn=arn)["Tags"]
    assert tags == [{"Key": "a", "Value": "b"}]
