"""The calls of Terraform's AWS provider for each of its ECR resources: create, read, update, delete, read again.

From `internal/service/ecr` of the provider. It reads after each change, and plans the same change again if it does not
read what it wrote.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.api.ecr.refusals import no_repository
from tests.api.ecr.wire import ACCOUNT, refusal

ROLE = f"arn:aws:iam::{ACCOUNT}:role/scanner"


@pytest.fixture
def ecr(clients: Callable[..., Any]) -> Any:
    """The client of a Region that no other test uses."""
    return clients(region=f"tf-region-{next(_numbers)}")


_numbers = itertools.count()


@pytest.fixture
def repository(ecr: Any) -> str:
    ecr.create_repository(repositoryName="team/app")
    return "team/app"


def statement(*actions: str, **more: Any) -> str:
    """A policy with one statement, as `jsonencode` writes it."""
    who = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    common = {"Sid": "it", "Effect": "Allow", "Principal": who, "Action": list(actions)}
    return json.dumps({"Version": "2012-10-17", "Statement": [common | more]}, separators=(",", ":"))


def lifecycle(count: int) -> str:
    rule = {
        "rulePriority": 1,
        "description": "Keep some",
        "selection": {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": count},
        "action": {"type": "expire"},
    }
    return json.dumps({"rules": [rule]})


def same(text: str, other: str) -> bool:
    """Whether the provider sees no difference between two documents."""
    return bool(json.loads(text) == json.loads(other))


def tags_of(ecr: Any, arn: str) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in ecr.list_tags_for_resource(resourceArn=arn)["tags"]}


def test_aws_ecr_repository(ecr: Any) -> None:
    created = ecr.create_repository(
        repositoryName="team/app",
        imageTagMutability="IMMUTABLE",
        encryptionConfiguration={"encryptionType": "KMS"},
        imageScanningConfiguration={"scanOnPush": True},
        tags=[{"Key": "Name", "Value": "app"}, {"Key": "old", "Value": ""}],
    )["repository"]

    def read() -> Any:
        (found,) = ecr.describe_repositories(repositoryNames=["team/app"])["repositories"]
        return found, tags_of(ecr, found["repositoryArn"])

    assert read() == (created, {"Name": "app", "old": ""})

    exclusions = [{"filterType": "WILDCARD", "filter": "dev-*"}]
    ecr.put_image_tag_mutability(
        repositoryName="team/app",
        imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
        imageTagMutabilityExclusionFilters=exclusions,
    )
    ecr.untag_resource(resourceArn=created["repositoryArn"], tagKeys=["old"])
    ecr.tag_resource(resourceArn=created["repositoryArn"], tags=[{"Key": "Name", "Value": "renamed"}])

    changed = {
        "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
        "imageTagMutabilityExclusionFilters": exclusions,
    }
    assert read() == (created | changed, {"Name": "renamed"})

    ecr.delete_repository(repositoryName="team/app", registryId=ACCOUNT, force=True)

    assert refusal(ecr.describe_repositories, repositoryNames=["team/app"]) == no_repository("team/app")
    assert refusal(ecr.list_tags_for_resource, resourceArn=created["repositoryArn"]) == no_repository("team/app")


def test_aws_ecr_repository_policy(ecr: Any, repository: str) -> None:
    for text in (statement("ecr:BatchGetImage"), statement("ecr:BatchGetImage", "ecr:PutImage")):
        ecr.set_repository_policy(repositoryName=repository, policyText=text)

        read = ecr.get_repository_policy(repositoryName=repository)
        assert (read["registryId"], read["repositoryName"]) == (ACCOUNT, repository)
        assert same(read["policyText"], text)

    ecr.delete_repository_policy(repositoryName=repository, registryId=ACCOUNT)

    refused = refusal(ecr.get_repository_policy, repositoryName=repository)
    assert refused.code == "RepositoryPolicyNotFoundException"


def test_aws_ecr_lifecycle_policy(ecr: Any, repository: str) -> None:
    for text in (lifecycle(5), lifecycle(6)):
        ecr.put_lifecycle_policy(repositoryName=repository, lifecyclePolicyText=text)

        read = ecr.get_lifecycle_policy(repositoryName=repository)
        assert (read["registryId"], read["repositoryName"]) == (ACCOUNT, repository)
        assert same(read["lifecyclePolicyText"], text)

    ecr.delete_lifecycle_policy(repositoryName=repository, registryId=ACCOUNT)

    refused = refusal(ecr.get_lifecycle_policy, repositoryName=repository)
    assert refused.code == "LifecyclePolicyNotFoundException"


def test_aws_ecr_registry_policy(ecr: Any) -> None:
    where = f"arn:aws:ecr:{ecr.meta.region_name}:{ACCOUNT}:repository/*"
    for text in (
        statement("ecr:ReplicateImage", Resource=[where]),
        statement("ecr:ReplicateImage", "ecr:CreateRepository", Resource=[where]),
    ):
        ecr.put_registry_policy(policyText=text)

        read = ecr.get_registry_policy()
        assert read["registryId"] == ACCOUNT
        assert same(read["policyText"], text)

    ecr.delete_registry_policy()

    assert refusal(ecr.get_registry_policy).code == "RegistryPolicyNotFoundException"


def test_aws_ecr_repository_creation_template(ecr: Any) -> None:
    def read(prefix: str) -> Any:
        return ecr.describe_repository_creation_templates(prefixes=[prefix])["repositoryCreationTemplates"]

    created = ecr.create_repository_creation_template(
        prefix="team",
        appliedFor=["CREATE_ON_PUSH"],
        description="Applications",
        imageTagMutability="IMMUTABLE",
        encryptionConfiguration={"encryptionType": "KMS"},
        resourceTags=[{"Key": "Name", "Value": "app"}],
        repositoryPolicy=statement("ecr:BatchGetImage"),
        lifecyclePolicy=lifecycle(5),
        customRoleArn=ROLE,
    )["repositoryCreationTemplate"]
    ecr.create_repository_creation_template(prefix="team/apps", appliedFor=["REPLICATION"])
    assert read("team") == [created]
    assert same(created["repositoryPolicy"], statement("ecr:BatchGetImage"))
    assert created["lifecyclePolicy"] == lifecycle(5)

    whole = {
        "appliedFor": ["CREATE_ON_PUSH", "REPLICATION"],
        "description": "Everything",
        "imageTagMutability": "MUTABLE",
        "encryptionConfiguration": {"encryptionType": "AES256"},
        "resourceTags": [{"Key": "Name", "Value": "everything"}],
        "lifecyclePolicy": lifecycle(6),
        "customRoleArn": ROLE,
    }
    updated = ecr.update_repository_creation_template(prefix="team", repositoryPolicy="", **whole)
    (found,) = read("team")
    assert found == updated["repositoryCreationTemplate"]
    assert {member: found[member] for member in whole} == whole
    assert "repositoryPolicy" not in found
    assert found["createdAt"] == created["createdAt"] < found["updatedAt"]

    for prefix in ("team", "team/apps"):
        ecr.delete_repository_creation_template(prefix=prefix)
    assert read("team") == []


@pytest.mark.parametrize(
    ("name", "values"), [("BASIC_SCAN_TYPE_VERSION", ["AWS_NATIVE"]), ("REGISTRY_POLICY_SCOPE", ["V1", "V2"])]
)
def test_aws_ecr_account_setting(ecr: Any, name: str, values: list[str]) -> None:
    """A setting cannot be deleted. Terraform forgets it, and the value stays."""
    for value in values:
        ecr.put_account_setting(name=name, value=value)

        assert ecr.get_account_setting(name=name)["value"] == value


def test_aws_ecr_pull_time_update_exclusion(ecr: Any) -> None:
    def read() -> Any:
        return ecr.list_pull_time_update_exclusions(maxResults=100)["pullTimeUpdateExclusions"]

    ecr.register_pull_time_update_exclusion(principalArn=ROLE)
    assert read() == [ROLE]

    ecr.deregister_pull_time_update_exclusion(principalArn=ROLE)
    assert read() == []
    refused = refusal(ecr.deregister_pull_time_update_exclusion, principalArn=ROLE)
    assert refused.code == "ExclusionNotFoundException"
