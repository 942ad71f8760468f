"""The resources of IAM, Secrets Manager and Signer."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

from moorage.domain.signing.profiles import PLATFORM
from tests.api.services.calls import ACCOUNT
from tests.api.services.stack.resource import ARNS, SECRET, Arguments, Resource, never, normalized, policy


def of_roles(iam: Any) -> Iterator[Resource]:
    trust = policy("sts:AssumeRole", principal=f"arn:aws:iam::{ACCOUNT}:root")
    role = {"RoleName": "stack"}

    def read_role() -> Arguments:
        found = iam.get_role(**role)["Role"]
        assert iam.list_role_policies(**role)["PolicyNames"] in ([], ["inline"])
        return {"trust": normalized(found["AssumeRolePolicyDocument"]), "session": found["MaxSessionDuration"]}

    yield Resource(
        "aws_iam_role",
        {"trust": trust, "session": 3600},
        {"trust": trust, "session": 7200},
        lambda new: iam.create_role(
            **role, AssumeRolePolicyDocument=new["trust"], MaxSessionDuration=new["session"], Path="/"
        ),
        read_role,
        lambda new: iam.update_role(**role, MaxSessionDuration=new["session"]),
        lambda: iam.delete_role(**role),
    )

    def read_attachment() -> Arguments | None:
        attached = iam.list_attached_role_policies(**role)["AttachedPolicies"]
        return next(({"arn": each["PolicyArn"]} for each in attached if each["PolicyArn"] == ARNS["policy"]), None)

    attachment = {**role, "PolicyArn": ARNS["policy"]}
    yield Resource(
        "aws_iam_role_policy_attachment",
        {"arn": ARNS["policy"]},
        {"arn": ARNS["policy"]},
        lambda _: iam.attach_role_policy(**attachment),
        read_attachment,
        never,
        lambda: iam.detach_role_policy(**attachment),
    )
    inline = {**role, "PolicyName": "inline"}
    yield Resource(
        "aws_iam_role_policy",
        {"policy": policy("ecr:GetAuthorizationToken", resource="*")},
        {"policy": policy("ecr:GetAuthorizationToken", "ecr:DescribeRegistry", resource="*")},
        lambda new: iam.put_role_policy(**inline, PolicyDocument=new["policy"]),
        lambda: {"policy": normalized(iam.get_role_policy(**inline)["PolicyDocument"])},
        lambda new: iam.put_role_policy(**inline, PolicyDocument=new["policy"]),
        lambda: iam.delete_role_policy(**inline),
    )


def of_policy(iam: Any) -> Resource:
    def read_policy() -> Arguments:
        found = iam.get_policy(PolicyArn=ARNS["policy"])["Policy"]
        version = iam.get_policy_version(PolicyArn=ARNS["policy"], VersionId=found["DefaultVersionId"])
        return {"policy": normalized(version["PolicyVersion"]["Document"])}

    def delete_policy() -> None:
        for version in iam.list_policy_versions(PolicyArn=ARNS["policy"])["Versions"]:
            if not version["IsDefaultVersion"]:
                iam.delete_policy_version(PolicyArn=ARNS["policy"], VersionId=version["VersionId"])
        iam.delete_policy(PolicyArn=ARNS["policy"])

    return Resource(
        "aws_iam_policy",
        {"policy": policy("ecr:BatchGetImage", resource=ARNS["repository"])},
        {"policy": policy("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", resource=ARNS["repository"])},
        lambda new: iam.create_policy(PolicyName="stack", PolicyDocument=new["policy"], Path="/"),
        read_policy,
        lambda new: iam.create_policy_version(
            PolicyArn=ARNS["policy"], PolicyDocument=new["policy"], SetAsDefault=True
        ),
        delete_policy,
    )


def of_users(iam: Any) -> Iterator[Resource]:
    user = {"UserName": "stack"}
    yield Resource(
        "aws_iam_user",
        {"Path": "/", "Tags": [{"Key": "team", "Value": "a"}]},
        {"Path": "/", "Tags": [{"Key": "team", "Value": "b"}]},
        lambda new: iam.create_user(**user, **new),
        lambda: {name: iam.get_user(**user)["User"][name] for name in ("Path", "Tags")},
        lambda new: iam.tag_user(**user, Tags=new["Tags"]),
        lambda: iam.delete_user(**user),
    )

    def keys() -> list[Any]:
        listed: list[Any] = iam.list_access_keys(**user)["AccessKeyMetadata"]
        return listed

    def change_key(new: Arguments) -> None:
        iam.update_access_key(**user, AccessKeyId=keys()[0]["AccessKeyId"], Status=new["status"])

    yield Resource(
        "aws_iam_access_key",
        {"status": "Active"},
        {"status": "Inactive"},
        lambda _: iam.create_access_key(**user),
        lambda: next(({"status": each["Status"]} for each in keys()), None),
        change_key,
        lambda: iam.delete_access_key(**user, AccessKeyId=keys()[0]["AccessKeyId"]),
    )


def of_secrets(secrets: Any) -> Iterator[Resource]:
    secret = {"SecretId": SECRET}

    def read() -> Arguments:
        found = secrets.describe_secret(**secret)
        assert "ResourcePolicy" not in secrets.get_resource_policy(**secret)
        return {"Description": found["Description"]}

    yield Resource(
        "aws_secretsmanager_secret",
        {"Description": "of the Hub"},
        {"Description": "of Docker Hub"},
        lambda new: secrets.create_secret(Name=SECRET, ClientRequestToken=str(uuid.uuid4()), **new),
        read,
        lambda new: secrets.update_secret(**secret, ClientRequestToken=str(uuid.uuid4()), **new),
        lambda: secrets.delete_secret(**secret, ForceDeleteWithoutRecovery=True),
    )

    def delete_version() -> None:
        """The provider leaves the version that is AWSCURRENT to the secret."""

    yield Resource(
        "aws_secretsmanager_secret_version",
        {"SecretString": json.dumps({"username": "a", "accessToken": "b"})},
        {"SecretString": json.dumps({"username": "a", "accessToken": "c"})},
        lambda new: secrets.put_secret_value(**secret, ClientRequestToken=str(uuid.uuid4()), **new),
        lambda: {"SecretString": secrets.get_secret_value(**secret)["SecretString"]},
        lambda new: secrets.put_secret_value(**secret, ClientRequestToken=str(uuid.uuid4()), **new),
        delete_version,
    )


def of_signer(signer: Any) -> Resource:
    name = {"profileName": "stack"}

    def read() -> Arguments | None:
        found = signer.get_signing_profile(**name)
        return None if found["status"] == "Canceled" else {"tags": found["tags"]}

    return Resource(
        "aws_signer_signing_profile",
        {"tags": {"team": "a"}},
        {"tags": {"team": "b"}},
        lambda new: signer.put_signing_profile(**name, platformId=PLATFORM, **new),
        read,
        lambda new: signer.tag_resource(resourceArn=ARNS["profile"], **new),
        lambda: signer.cancel_signing_profile(**name),
    )
