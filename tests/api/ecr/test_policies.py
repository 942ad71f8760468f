"""Policies of repositories and registries through the API: stored, returned and rejected as ECR does it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from moorage.domain.identity.actions import ACTIONS
from tests.api.ecr.conftest import KeyedUser
from tests.api.ecr.refusals import invalid, no_repository
from tests.api.ecr.wire import ACCOUNT, Refusal, refusal
from tests.support.policies import policy
from tests.unit.policies.test_rendering import RETURNED, SENT

THEIRS = "222222222222"
PULL = {"Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}


@pytest.fixture(scope="module")
def nobody(new_user: Callable[..., KeyedUser]) -> KeyedUser:
    """A user without a policy."""
    return new_user()


def without_metadata(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def no_policy(repository: str) -> Refusal:
    message = (
        f"Repository policy does not exist for the repository with name '{repository}' "
        f"in the registry with id '{ACCOUNT}'"
    )
    return Refusal(400, "RepositoryPolicyNotFoundException", message)


def test_a_repository_policy_is_set_read_replaced_and_deleted(ecr: Any, repository: str) -> None:
    """In Terraform's order. A read returns the same as the response before it."""
    expected = {"registryId": ACCOUNT, "repositoryName": repository, "policyText": RETURNED}
    assert refusal(ecr.get_repository_policy, repositoryName=repository) == no_policy(repository)

    assert without_metadata(ecr.set_repository_policy(repositoryName=repository, policyText=SENT)) == expected
    assert without_metadata(ecr.get_repository_policy(repositoryName=repository)) == expected

    ecr.set_repository_policy(repositoryName=repository, policyText=policy(PULL))
    other = ecr.get_repository_policy(repositoryName=repository)["policyText"]
    assert json.loads(other) == json.loads(policy(PULL))

    assert ecr.delete_repository_policy(repositoryName=repository)["policyText"] == other
    assert refusal(ecr.get_repository_policy, repositoryName=repository) == no_policy(repository)
    assert refusal(ecr.delete_repository_policy, repositoryName=repository) == no_policy(repository)


def test_a_policy_is_deleted_with_its_repository(ecr: Any, repository: str) -> None:
    ecr.set_repository_policy(repositoryName=repository, policyText=SENT)
    ecr.delete_repository(repositoryName=repository)
    assert refusal(ecr.get_repository_policy, repositoryName=repository) == no_repository(repository)

    ecr.create_repository(repositoryName=repository)
    assert refusal(ecr.get_repository_policy, repositoryName=repository) == no_policy(repository)


@pytest.mark.parametrize(
    "text",
    [
        "no JSON",
        policy(PULL | {"Resource": "*"}),
        policy({"Effect": "Allow", "Action": "ecr:*"}),
        policy(PULL | {"Action": "s3:GetObject"}),
        policy(PULL | {"Principal": {"AWS": "somebody"}}),
        policy(PULL | {"Condition": {"StringSame": {"aws:username": "x"}}}),
    ],
)
def test_an_invalid_repository_policy_is_rejected_and_changes_nothing(ecr: Any, repository: str, text: str) -> None:
    ecr.set_repository_policy(repositoryName=repository, policyText=SENT)

    refused = refusal(ecr.set_repository_policy, repositoryName=repository, policyText=text)

    assert refused == invalid("PolicyText", "Invalid repository policy provided")
    assert ecr.get_repository_policy(repositoryName=repository)["policyText"] == RETURNED


def test_a_policy_has_at_most_10240_characters(unchecked: Any, repository: str) -> None:
    longest = policy(PULL).ljust(10_240)

    unchecked.set_repository_policy(repositoryName=repository, policyText=longest)
    refused = refusal(unchecked.set_repository_policy, repositoryName=repository, policyText=longest + " ")
    assert refused.code == "InvalidParameterException"
    assert "less than or equal to 10240" in refused.message


def test_a_principal_of_an_account_on_this_server_must_exist(ecr: Any, reader: KeyedUser, repository: str) -> None:
    def naming(account: str, user: str) -> dict[str, str]:
        principal = {"AWS": [f"arn:aws:iam::{account}:user/{user}"]}
        return {"repositoryName": repository, "policyText": policy(PULL | {"Principal": principal})}

    unknown = refusal(ecr.set_repository_policy, **naming(ACCOUNT, "somebody-else"))
    assert unknown == invalid("PolicyText", "Principal not found")

    for known in (naming(ACCOUNT, reader.name), naming("555555555555", "somebody-else")):
        ecr.set_repository_policy(**known)
        stored = ecr.get_repository_policy(repositoryName=repository)["policyText"]
        assert json.loads(stored) == json.loads(known["policyText"])


def test_callers_who_would_lock_themselves_out_must_use_force(ecr: Any, colleague: KeyedUser, repository: str) -> None:
    closing = policy({"Effect": "Deny", "Principal": "*", "Action": "ecr:SetRepositoryPolicy"})

    refused = refusal(colleague.ecr.set_repository_policy, repositoryName=repository, policyText=closing)
    assert refused.code == "InvalidParameterException"
    assert refusal(colleague.ecr.get_repository_policy, repositoryName=repository) == no_policy(repository)

    colleague.ecr.set_repository_policy(repositoryName=repository, policyText=closing, force=True)
    denied = refusal(colleague.ecr.set_repository_policy, repositoryName=repository, policyText=SENT)
    assert denied.code == "AccessDeniedException"
    assert denied.message.endswith("with an explicit deny in a resource-based policy")
    ecr.set_repository_policy(repositoryName=repository, policyText=SENT)


def test_a_policy_applies_from_the_next_request_on(ecr: Any, nobody: KeyedUser, repository: str) -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:user/{nobody.name}"
    allowing = policy(PULL | {"Principal": {"AWS": arn}, "Action": "ecr:ListImages"})

    for _ in range(3):
        assert refusal(nobody.ecr.list_images, repositoryName=repository).code == "AccessDeniedException"
        ecr.set_repository_policy(repositoryName=repository, policyText=allowing)
        assert [nobody.ecr.list_images(repositoryName=repository)["imageIds"] for _ in range(4)] == [[]] * 4
        ecr.delete_repository_policy(repositoryName=repository)


def test_a_list_of_all_repositories_omits_the_denied_ones(
    ecr: Any, colleague: KeyedUser, new_repository: Callable[[], str]
) -> None:
    shown, hidden = new_repository(), new_repository()
    arn = f"arn:aws:iam::{ACCOUNT}:user/{colleague.name}"
    denying = policy({"Effect": "Deny", "Principal": {"AWS": arn}, "Action": "ecr:DescribeRepositories"})
    ecr.set_repository_policy(repositoryName=hidden, policyText=denying)

    pages = colleague.ecr.get_paginator("describe_repositories").paginate()
    names = {row["repositoryName"] for page in pages for row in page["repositories"]}

    assert shown in names
    assert hidden not in names
    assert refusal(colleague.ecr.describe_repositories, repositoryNames=[shown, hidden]).code == "AccessDeniedException"


def test_pages_of_repositories_are_full_and_their_tokens_name_no_repository(
    clients: Callable[..., Any], new_user: Callable[..., KeyedUser], moorage: Callable[..., str]
) -> None:
    person = new_user()
    here = {"region": "us-west-1"}
    root, theirs = clients(**here), clients(**here, key=person.key, secret=person.secret)
    shown = ["aa/shown", "cc/shown", "ee/shown"]
    for name in (*shown, "bb/secret-1", "bb/secret-2", "dd/secret"):
        root.create_repository(repositoryName=name)
    own = policy(
        {"Effect": "Allow", "Action": "ecr:*", "Resource": "*"},
        {"Effect": "Deny", "Action": "ecr:*", "Resource": "arn:aws:ecr:*:*:repository/*secret*"},
    )
    moorage("user", "put-policy", person.name, "own", "-", stdin=own)

    for size in (1, 2, 3):
        pages = list(theirs.get_paginator("describe_repositories").paginate(PaginationConfig={"PageSize": size}))
        names = [[row["repositoryName"] for row in page["repositories"]] for page in pages]
        tokens = [page["nextToken"] for page in pages[:-1]]

        assert names == [shown[start : start + size] for start in range(0, len(shown), size)]
        assert not any(b"/s" in base64.urlsafe_b64decode(token + "===") for token in tokens)


# --- Registry ---------------------------------------------------------------------------------------------------


@pytest.fixture
def other_region(clients: Callable[..., Any]) -> Iterator[Any]:
    """The root user's client of a registry that no other test uses."""
    client = clients(region="ap-southeast-4")
    yield client
    try:
        client.delete_registry_policy()
    except client.exceptions.RegistryPolicyNotFoundException:
        return


def test_a_registry_policy_is_put_read_and_deleted(other_region: Any, ecr: Any) -> None:
    text = policy(PULL | {"Resource": "*", "Principal": {"AWS": THEIRS}})
    none = Refusal(
        400,
        "RegistryPolicyNotFoundException",
        f"Registry policy does not exist in the registry with id '{ACCOUNT}'",
    )
    assert refusal(other_region.get_registry_policy) == none

    put = other_region.put_registry_policy(policyText=text)

    assert put["registryId"] == ACCOUNT
    assert f'"AWS" : "arn:aws:iam::{THEIRS}:root"' in put["policyText"]
    assert other_region.get_registry_policy()["policyText"] == put["policyText"]
    assert refusal(ecr.get_registry_policy) == none
    assert other_region.delete_registry_policy()["policyText"] == put["policyText"]
    assert refusal(other_region.delete_registry_policy) == none


def test_a_registry_policy_needs_resources(other_region: Any) -> None:
    refused = refusal(other_region.put_registry_policy, policyText=policy(PULL))

    assert refused == invalid("PolicyText", "Invalid registry policy provided")


# --- The actions that policies can name -------------------------------------------------------------------------------

SPELLINGS = (str, str.lower, lambda action: action.replace("ecr:", "ECR:"))
"""Case does not matter in actions (IAM user guide, "Action")."""

NO_ACTIONS = [
    "ecr:PutImages",
    "ecr:ListImageReferrers",  # Its permission is ecr:BatchGetImage (API reference).
    "ecr:Push*",
    "ecr:GetImage?",
    "ecr-public:BatchGetImage",
    "s3:GetObject",
    "sts:*",
]
"""Names and patterns that are not actions of ECR (Service Authorization Reference)."""


def naming(*actions: str, **more: Any) -> str:
    return policy(PULL | {"Action": list(actions)} | more)


@pytest.mark.parametrize("action", sorted(ACTIONS | {"ecr:GetImageCopyStatus"}))
def test_policies_can_name_each_action_of_ecr(ecr: Any, other_region: Any, repository: str, action: str) -> None:
    """A repository policy cannot name GetAuthorizationToken (cloudposse/terraform-aws-ecr#67)."""
    for spelled in SPELLINGS:
        text = naming(spelled(action))
        other_region.put_registry_policy(policyText=naming(spelled(action), Resource="*"))
        if action == "ecr:GetAuthorizationToken":
            refused = refusal(ecr.set_repository_policy, repositoryName=repository, policyText=text)
            assert refused == invalid("PolicyText", "Invalid repository policy provided")
        else:
            ecr.set_repository_policy(repositoryName=repository, policyText=text, force=True)


@pytest.mark.parametrize("pattern", ["*", "ecr:*", "ECR:*", "ecr:*Image", "ecr:Get*", "ecr:putimage?agMutability"])
def test_policies_can_name_patterns_of_actions(ecr: Any, other_region: Any, repository: str, pattern: str) -> None:
    ecr.set_repository_policy(repositoryName=repository, policyText=naming(pattern), force=True)
    other_region.put_registry_policy(policyText=naming(pattern, Resource="*"))


@pytest.mark.parametrize("action", NO_ACTIONS)
@pytest.mark.parametrize("element", ["Action", "NotAction"])
def test_policies_cannot_name_what_is_not_an_action_of_ecr(
    ecr: Any, other_region: Any, repository: str, action: str, element: str
) -> None:
    statement = {"Effect": "Deny", "Principal": "*", element: ["ecr:PutImage", action]}
    of_repository, of_registry = policy(statement), policy(statement | {"Resource": "*"})
    template = {"prefix": "named", "appliedFor": ["CREATE_ON_PUSH"], "repositoryPolicy": of_repository}
    invalid_repository_policy = invalid("PolicyText", "Invalid repository policy provided")

    refused = refusal(ecr.set_repository_policy, repositoryName=repository, policyText=of_repository)
    assert refused == invalid_repository_policy
    assert refusal(ecr.create_repository_creation_template, **template) == invalid_repository_policy
    refused = refusal(other_region.put_registry_policy, policyText=of_registry)
    assert refused == invalid("PolicyText", "Invalid registry policy provided")


def test_a_repository_policy_cannot_name_only_get_authorization_token_by_a_pattern(ecr: Any, repository: str) -> None:
    text = naming("ecr:GetAuthorization*")

    refused = refusal(ecr.set_repository_policy, repositoryName=repository, policyText=text)

    assert refused == invalid("PolicyText", "Invalid repository policy provided")


@pytest.fixture
def v1_scope(other_region: Any) -> Iterator[None]:
    other_region.put_account_setting(name="REGISTRY_POLICY_SCOPE", value="V1")
    yield
    other_region.put_account_setting(name="REGISTRY_POLICY_SCOPE", value="V2")


@pytest.mark.usefixtures("v1_scope")
def test_a_registry_policy_of_version_1_can_name_three_actions_or_all(other_region: Any) -> None:
    accepted = {"ecr:ReplicateImage", "ecr:BatchImportUpstreamImage", "ecr:CreateRepository", "ecr:*"}

    for action in sorted(ACTIONS | accepted | {"*", "ecr:Replicate*", "ecr:NoSuchAction"}):
        for spelled in SPELLINGS:
            request = {"policyText": naming("ecr:CreateRepository", spelled(action), Resource="*")}
            if action in accepted:
                other_region.put_registry_policy(**request)
            else:
                refused = refusal(other_region.put_registry_policy, **request)
                assert refused == invalid("PolicyText", "Invalid registry policy provided")


@pytest.mark.usefixtures("v1_scope")
def test_all_actions_in_a_registry_policy_of_version_1_are_three(
    other_region: Any, nobody: KeyedUser, clients: Callable[..., Any]
) -> None:
    theirs = clients(region="ap-southeast-4", key=nobody.key, secret=nobody.secret)
    other_region.put_registry_policy(policyText=naming("ecr:*", Resource="*"))

    assert theirs.create_repository(repositoryName="of/three")["repository"]["registryId"] == ACCOUNT
    assert refusal(theirs.describe_registry).code == "AccessDeniedException"
    assert refusal(theirs.put_image, repositoryName="of/three", imageManifest="{}").code == "AccessDeniedException"

    other_region.put_account_setting(name="REGISTRY_POLICY_SCOPE", value="V2")
    assert theirs.describe_registry()["registryId"] == ACCOUNT


def test_a_registry_policy_covers_all_actions_or_three_in_version_1(
    other_region: Any, nobody: KeyedUser, clients: Callable[..., Any]
) -> None:
    theirs = clients(region="ap-southeast-4", key=nobody.key, secret=nobody.secret)
    text = policy(PULL | {"Resource": "*", "Action": "ecr:DescribeRegistry"})
    other_region.put_registry_policy(policyText=text)
    assert theirs.describe_registry()["registryId"] == ACCOUNT

    other_region.put_account_setting(name="REGISTRY_POLICY_SCOPE", value="V1")
    try:
        assert refusal(theirs.describe_registry).code == "AccessDeniedException"
        refused = refusal(other_region.put_registry_policy, policyText=text)
        assert refused == invalid("PolicyText", "Invalid registry policy provided")
        creating = policy(PULL | {"Resource": "*", "Action": "ecr:CreateRepository"})
        other_region.put_registry_policy(policyText=creating)
        assert theirs.create_repository(repositoryName="of/the-policy")["repository"]["registryId"] == ACCOUNT
    finally:
        other_region.put_account_setting(name="REGISTRY_POLICY_SCOPE", value="V2")
