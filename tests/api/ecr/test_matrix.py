"""The authorization matrix of the API: every built operation, called by every kind of caller."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest

from moorage.aws.service_model import OPERATIONS, SHAPES
from moorage.domain.identity import actions
from moorage.domain.identity.actions import PermissionTarget
from moorage.ecr.operations import OPERATIONS as ECR_OPERATIONS
from tests.api.ecr.conftest import KeyedUser
from tests.api.ecr.test_users import request_for
from tests.api.ecr.wire import ACCOUNT, TARGET_PREFIX, Answer, Wire
from tests.support.policies import allowing, policy

REGION = "eu-north-1"
"""A registry that no other test uses, because its policy applies to every request."""

OTHER = "333333333333"
REPOSITORY = "tests/of-the-matrix"
BUILT = sorted(ECR_OPERATIONS)

TEMPLATE = {
    "repositoryPolicy": policy({"Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}),
    "lifecyclePolicy": "{}",
    "resourceTags": [{"Key": "team", "Value": "a"}],
}
FURTHER_MEMBERS: dict[str, dict[str, Any]] = {
    "CreateRepository": {"tags": [{"Key": "team", "Value": "a"}]},
    "CreateRepositoryCreationTemplate": TEMPLATE,
    "UpdateRepositoryCreationTemplate": TEMPLATE,
}
"""Members that need further permissions, for requests that have the others."""


class Keys(NamedTuple):
    """Access keys with their secrets, named after the kind of caller."""

    colleague: tuple[str, str]
    denied: KeyedUser
    nobody: KeyedUser
    stranger: tuple[str, str]


@pytest.fixture(scope="session")
def keys(moorage: Callable[..., str], new_user: Callable[..., KeyedUser], colleague: KeyedUser) -> Keys:
    """The stranger is the root user of another account."""
    exports = moorage("account", "create", OTHER).splitlines()
    key, secret = (shlex.split(line)[1].partition("=")[2] for line in exports if line.startswith("export "))
    denied = new_user("AmazonEC2ContainerRegistryFullAccess")
    return Keys((colleague.key, colleague.secret), denied, new_user(), (key, secret))


@pytest.fixture
def ask(wire: Wire, keys: Keys) -> Callable[..., Answer]:
    """Calls an operation in a registry that admits the other account and denies one user everything."""
    denied = f"arn:aws:iam::{ACCOUNT}:user/{keys.denied.name}"
    text = policy(
        {"Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": "ecr:*", "Resource": "*"},
        {"Effect": "Deny", "Principal": {"AWS": denied}, "Action": "ecr:*", "Resource": "*"},
    )
    assert wire.call("PutRegistryPolicy", {"policyText": text}, region=REGION).status == 200

    def ask(operation: str, key: str = "", secret: str = "", **more: Any) -> Answer:
        who = {"key": key, "secret": secret} if key else {}
        return wire.call(operation, request_in(operation, more), region=REGION, **who)

    return ask


def request_in(operation: str, more: dict[str, Any]) -> dict[str, Any]:
    request = request_for(operation, REPOSITORY)
    if "resourceArn" in request:
        request["resourceArn"] = request["resourceArn"].replace("us-east-1", REGION)
    return request | more


def resource_of(operation: str) -> str:
    name = {
        PermissionTarget.REGISTRY: None,
        PermissionTarget.REPOSITORIES: REPOSITORY if "repositoryNames" in request_for(operation, REPOSITORY) else "*",
    }.get(actions.OPERATIONS[operation].target, REPOSITORY)
    return "*" if name is None else f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{name}"


def expected(who: str, operation: str, reason: str) -> str:
    action = actions.OPERATIONS[operation].action
    return f"User: {who} is not authorized to perform: {action} on resource: {resource_of(operation)} {reason}"


@pytest.mark.parametrize("operation", BUILT)
def test_callers_without_permission_are_denied_and_callers_with_permission_are_not(
    ask: Callable[..., Answer], keys: Keys, operation: str
) -> None:
    """Callers with permission come last, because some operations then change the registry's policy.

    An operation that names no registry uses the stranger's own registry.
    """
    action = actions.OPERATIONS[operation].action

    for person, reason in (
        (keys.nobody, f"because no identity-based policy allows the {action} action"),
        (keys.denied, "with an explicit deny in a resource-based policy"),
    ):
        refused = ask(operation, person.key, person.secret).refusal
        arn = f"arn:aws:iam::{ACCOUNT}:user/{person.name}"
        assert refused == (400, "AccessDeniedException", expected(arn, operation, reason))

    registry = {"registryId": ACCOUNT} if "registryId" in members_of(operation) else {}
    allowed = [ask(operation, *keys.stranger, **registry), ask(operation, *keys.colleague), ask(operation)]
    assert [answer.refusal for answer in allowed if is_denied(answer)] == []


@pytest.mark.parametrize(
    ("operation", "member"),
    [(operation, member) for operation in BUILT for member in actions.FURTHER.get(operation, {})],
)
def test_what_a_member_causes_needs_its_permission(
    wire: Wire, new_user: Callable[..., KeyedUser], moorage: Callable[..., str], operation: str, member: str
) -> None:
    """Every further permission of the table: without it the request is denied, and with it, or without the member,
    it is not.
    """
    person, further = new_user(), actions.FURTHER[operation][member]
    whole = request_for(operation, REPOSITORY) | FURTHER_MEMBERS.get(operation, {})

    def answered(request: dict[str, Any], *without: str) -> Answer:
        needed = {permission.action for permission in actions.permissions_of(operation, whole)}
        moorage("user", "put-policy", person.name, "own", "-", stdin=allowing(*needed - set(without)))
        return wire.call(operation, request, key=person.key, secret=person.secret)

    refused = answered(whole, further.action).refusal
    assert refused.code == "AccessDeniedException"
    assert f"is not authorized to perform: {further.action} on resource: " in refused.message
    assert not is_denied(answered(whole))
    if member not in {"prefix", "repositoryName"}:
        assert not is_denied(answered({name: value for name, value in whole.items() if name != member}, further.action))


def test_a_template_needs_permission_for_every_repository_that_it_can_apply_to(
    wire: Wire, new_user: Callable[..., KeyedUser], moorage: Callable[..., str]
) -> None:
    """A caller who may set the policies of some repositories cannot set them for all by a template."""
    person = new_user()
    operation = "CreateRepositoryCreationTemplate"
    actions_needed = ["ecr:CreateRepository", "ecr:SetRepositoryPolicy"]
    arn = f"arn:aws:ecr:*:{ACCOUNT}:repository"

    def denied(prefix: str, allowed: str, *excepted: str) -> bool:
        own: list[dict[str, Any]] = [
            {"Effect": "Allow", "Action": f"ecr:{operation}", "Resource": "*"},
            {"Effect": "Allow", "Action": actions_needed, "Resource": allowed},
        ]
        own += [{"Effect": "Deny", "Action": "ecr:SetRepositoryPolicy", "Resource": list(excepted)}] if excepted else []
        moorage("user", "put-policy", person.name, "own", "-", stdin=policy(*own))
        request = {"prefix": prefix, "appliedFor": ["CREATE_ON_PUSH"], "repositoryPolicy": "{}"}
        return is_denied(wire.call(operation, request, key=person.key, secret=person.secret))

    assert not denied("team", f"{arn}/team/*")
    assert not denied("team/a/", f"{arn}/team/*")
    assert not denied("ROOT", f"{arn}/*", "arn:aws:s3:::bucket")
    assert denied("team", f"{arn}/team/app")
    assert denied("team", f"{arn}/team/?*")
    assert denied("te", f"{arn}/team/*")
    assert denied("ROOT", f"{arn}/team/*")
    assert denied("team", "*", f"{arn}/team/secret")
    assert denied("ROOT", "*", f"{arn}/team/secret")
    assert not denied("team", "*", f"{arn}/other/*", f"{arn}/team")


def members_of(operation: str) -> dict[str, str]:
    return SHAPES[OPERATIONS[operation].input_shape].members


def is_denied(answer: Answer) -> bool:
    return answer.status != 200 and answer.refusal.code == "AccessDeniedException"


@pytest.mark.parametrize("operation", BUILT)
def test_callers_that_cannot_be_authenticated_are_rejected_first(wire: Wire, operation: str) -> None:
    request = request_in(operation, {})
    longer_ago = datetime.now(UTC) - timedelta(hours=1)

    expired = wire.call(operation, request, when=longer_ago).refusal
    forged = wire.call(operation, request, secret="x" * 40).refusal
    unknown = wire.call(operation, request, key="AKIA" + "A" * 16).refusal
    token = wire.call(operation, request, token="forged").refusal
    unsigned = replace(wire.signer).headers(TARGET_PREFIX + operation, b"{}")
    del unsigned["authorization"]

    assert wire.send(unsigned, b"{}").refusal.code == "MissingAuthenticationTokenException"
    assert expired.code == "InvalidSignatureException"
    assert expired.message.startswith("Signature expired: ")
    assert forged.code == "InvalidSignatureException"
    assert [unknown.code, token.code] == ["UnrecognizedClientException"] * 2
