"""Permissions of users: AWS managed policies, registries of other accounts, and deactivated keys."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from moorage.aws.service_model import OPERATIONS
from moorage.domain.identity.managed_policies import MANAGED_POLICIES
from moorage.ecr.operations import OPERATIONS as ECR_OPERATIONS
from tests.api.ecr.conftest import KeyedUser
from tests.api.ecr.pushing import push
from tests.api.ecr.wire import ACCOUNT, Wire, refusal
from tests.support.images import digest, image
from tests.unit.aws.samples import sample

OTHER = "123456789012"
BUILT = sorted(ECR_OPERATIONS)


def denied(person: KeyedUser | None, action: str, resource: str, kind: str = "identity") -> tuple[int, str, str]:
    user = "root" if person is None else f"user/{person.name}"
    message = (
        f"User: arn:aws:iam::{ACCOUNT}:{user} is not authorized to perform: {action} on resource: {resource} "
        f"because no {kind}-based policy allows the {action} action"
    )
    return 400, "AccessDeniedException", message


@pytest.fixture(scope="module")
def users(new_user: Callable[..., KeyedUser]) -> dict[str, KeyedUser]:
    """One user for each managed policy, and one without a policy."""
    return {"none": new_user()} | {policy: new_user(policy) for policy in MANAGED_POLICIES}


def allowed_by(policy: str) -> list[str]:
    """The actions that a managed policy names."""
    if policy == "none":
        return []
    (statement,) = json.loads(MANAGED_POLICIES[policy])["Statement"]
    named: str | list[str] = statement["Action"]
    return [named] if isinstance(named, str) else named


def request_for(operation: str, repository: str) -> dict[str, Any]:
    """A request that keeps all rules of the model and names the repository where possible."""
    request: dict[str, Any] = sample(OPERATIONS[operation].input_shape)
    request.pop("registryId", None)
    if "resourceArn" in request:
        request["resourceArn"] = f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/{repository}"
    if "repositoryNames" in request:
        request["repositoryNames"] = [repository]
    if "repositoryName" in request:
        request["repositoryName"] = repository
    return request


@pytest.mark.parametrize("operation", BUILT)
def test_a_user_can_do_what_the_managed_policy_allows_and_nothing_else(
    wire: Wire, users: dict[str, KeyedUser], operation: str
) -> None:
    """ListImageReferrers has no separate permission. It is part of BatchGetImage (ECR user guide)."""
    action = "ecr:BatchGetImage" if operation == "ListImageReferrers" else f"ecr:{operation}"
    request = request_for(operation, "tests/of-the-staff")
    resource = f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/tests/of-the-staff"
    if not {"repositoryName", "repositoryNames", "resourceArn"} & request.keys():
        resource = "*"

    for policy, person in users.items():
        allowed = allowed_by(policy)
        answer = wire.call(operation, request, key=person.key, secret=person.secret)
        if {"*", "ecr:*", action} & set(allowed):
            assert answer.status == 200 or answer.refusal.code != "AccessDeniedException", (policy, answer)
        else:
            assert answer.refusal == denied(person, action, resource), policy


def test_a_reader_can_pull_and_cannot_push(ecr: Any, reader: KeyedUser, repository: str) -> None:
    pushed = push(ecr, repository, image(), "v1")
    arn = f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/{repository}"

    found = reader.ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": "v1"}])["images"]
    layer = reader.ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=pushed.blobs[1].digest)

    assert found[0]["imageManifest"] == pushed.manifest.content.decode()
    assert layer["downloadUrl"]
    manifest = pushed.manifest.content.decode()
    refused = refusal(reader.ecr.put_image, repositoryName=repository, imageManifest=manifest, imageTag="v2")
    assert refused == denied(reader, "ecr:PutImage", arn)
    assert refusal(reader.ecr.initiate_layer_upload, repositoryName=repository) == denied(
        reader, "ecr:InitiateLayerUpload", arn
    )


def test_a_denied_caller_does_not_learn_what_exists(reader: KeyedUser, repository: str) -> None:
    for name in (repository, "tests/not-there"):
        arn = f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/{name}"
        refused = refusal(reader.ecr.delete_repository, repositoryName=name)
        assert refused == denied(reader, "ecr:DeleteRepository", arn)


def test_attaching_or_detaching_a_policy_has_an_immediate_effect(
    new_user: Callable[..., KeyedUser], moorage: Callable[..., str]
) -> None:
    person = new_user()
    assert refusal(person.ecr.describe_registry).code == "AccessDeniedException"

    moorage("user", "attach", person.name, "AmazonEC2ContainerRegistryFullAccess")
    assert person.ecr.describe_registry()["registryId"] == ACCOUNT

    moorage("user", "detach", person.name, "AmazonEC2ContainerRegistryFullAccess")
    assert refusal(person.ecr.describe_registry) == denied(person, "ecr:DescribeRegistry", "*")


@pytest.mark.parametrize(
    ("operation", "more"),
    [
        ("create_repository", {}),
        ("initiate_layer_upload", {}),
        ("list_images", {}),
        ("batch_get_image", {"imageIds": [{"imageTag": "v1"}]}),
        ("batch_check_layer_availability", {"layerDigests": [digest(b"x")]}),
    ],
)
def test_the_registry_of_another_account_is_closed_even_to_root(ecr: Any, operation: str, more: dict[str, Any]) -> None:
    action = "ecr:" + "".join(word.title() for word in operation.split("_"))

    refused = refusal(getattr(ecr, operation), registryId=OTHER, repositoryName="tests/theirs", **more)

    arn = f"arn:aws:ecr:us-east-1:{OTHER}:repository/tests/theirs"
    assert refused == denied(None, action, arn, "resource")


def test_a_repository_of_another_account_cannot_be_named_by_arn(ecr: Any) -> None:
    arn = f"arn:aws:ecr:us-east-1:{OTHER}:repository/tests/theirs"

    refused = refusal(ecr.list_tags_for_resource, resourceArn=arn)

    assert refused == denied(None, "ecr:ListTagsForResource", arn, "resource")


def test_the_caller_s_own_registry_may_be_named(ecr: Any, repository: str) -> None:
    assert ecr.list_images(registryId=ACCOUNT, repositoryName=repository)["imageIds"] == []


def test_a_deactivated_key_is_rejected_at_once_and_can_be_reactivated(
    new_user: Callable[..., KeyedUser], moorage: Callable[..., str]
) -> None:
    person = new_user("AmazonEC2ContainerRegistryReadOnly")
    unrecognized = (400, "UnrecognizedClientException", "The security token included in the request is invalid.")
    assert "repositories" in person.ecr.describe_repositories()

    moorage("key", "deactivate", person.key)
    assert [refusal(person.ecr.describe_repositories) for _ in range(8)] == [unrecognized] * 8

    moorage("key", "activate", person.key)
    assert "repositories" in person.ecr.describe_repositories()

    moorage("user", "delete", person.name)
    assert [refusal(person.ecr.describe_repositories) for _ in range(8)] == [unrecognized] * 8
