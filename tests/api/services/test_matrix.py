"""The authorization matrix of the further services: every built operation, called by every kind of caller."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from moorage.app import AWS_SERVICES
from moorage.aws.service_model import MODELS, Operation
from moorage.domain.identity.further_actions import FURTHER, TARGETS, FurtherTarget
from moorage.domain.identity.operating_actions import Scope, scope_of
from tests.api.ecr.wire import Refusal
from tests.api.services.calls import ACCOUNT, Person, allow, person_with
from tests.api.services.raw import RawCaller, refusal_of
from tests.support.server import Server
from tests.unit.aws.samples import sample

OF_ECR = {
    ("moorage", name) for name in ("ListDeletedImages", "ListRetentionReasons", "SearchRepositories", "UndeleteImage")
}
"""Operations that need permissions of ECR."""

BUILT = [
    MODELS[service.model.name].operations[name]
    for service in AWS_SERVICES
    if service.model.name != "ecr"
    for name in sorted(service.handlers)
    if (service.model.name, name) not in OF_ECR
]
SECRET = "secret-of-the-matrix"
SECRET_ARN = f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:{SECRET}-??????"
PROFILE_ARN = f"arn:aws:signer:us-east-1:{ACCOUNT}:/signing-profiles/of_the_matrix"
KEY_ARN = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/of-the-matrix"
IAM = f"arn:aws:iam::{ACCOUNT}:"
JOB_ARN = f"arn:aws:signer:us-east-1:{ACCOUNT}:/signing-jobs/job"
NAMED: dict[str, Any] = {
    "KeyId": KEY_ARN,
    "Name": SECRET,
    "SecretId": SECRET,
    "profileName": "of_the_matrix",
    "profileOwner": ACCOUNT,
    "resourceArn": PROFILE_ARN,
    "profileVersionArn": PROFILE_ARN,
    "jobArn": JOB_ARN,
    "jobId": "job",
    "jobOwner": ACCOUNT,
    "UserName": "of-the-matrix",
    "RoleName": "of-the-matrix",
    "PolicyName": "of-the-matrix",
    "Path": "/",
    "PathPrefix": "/",
    "PolicyArn": f"{IAM}policy/of-the-matrix",
    "PolicySourceArn": f"{IAM}user/of-the-matrix",
    "OpenIDConnectProviderArn": f"{IAM}oidc-provider/of.the.matrix",
    "Url": "https://of.the.matrix",
}


class People(NamedTuple):
    nobody: Person
    denied: Person
    stranger: Person


@pytest.fixture(scope="module")
def people(server: Server) -> People:
    """One without a policy, one with an explicit deny, and the root user of another account."""
    exports = server.moorage("account", "create", "777777777777").splitlines()
    key, secret = (line.partition("=")[2] for line in exports if line.startswith("export "))
    everything = allow("secretsmanager:*", "signer:*", "iam:*", "kms:*", "moorage:*")
    denied = person_with(server, everything, everything | {"Effect": "Deny"})
    return People(person_with(server), denied, Person("root", key, secret))


def request_for(operation: Operation) -> dict[str, Any]:
    """A request that keeps all rules of the model and names the resources of the matrix."""
    request: dict[str, Any] = sample(operation.input_shape)
    return request | {name: value for name, value in NAMED.items() if name in request}


def resource_of(operation: Operation) -> str:
    if operation.name == "GetRevocationStatus":
        return JOB_ARN  # The first of two.
    if operation.name == "GetAccessKeyLastUsed":
        return "*"  # The key does not exist, so it has no user.
    target = TARGETS[operation.service][operation.name]
    return {
        FurtherTarget.SECRET: SECRET_ARN,
        FurtherTarget.KEY: KEY_ARN,
        FurtherTarget.PROFILE: PROFILE_ARN,
        FurtherTarget.JOB: JOB_ARN,
        FurtherTarget.USER: f"{IAM}user/of-the-matrix",
        FurtherTarget.ROLE: f"{IAM}role/of-the-matrix",
        FurtherTarget.POLICY: f"{IAM}policy/of-the-matrix",
        FurtherTarget.PROVIDER: f"{IAM}oidc-provider/of.the.matrix",
        FurtherTarget.PRINCIPAL: f"{IAM}user/of-the-matrix",
        FurtherTarget.USERS: f"{IAM}user/",
        FurtherTarget.ROLES: f"{IAM}role/",
        FurtherTarget.ANY: "*",
    }[target]


def ask(server: Server, person: Person, operation: Operation, request: dict[str, Any] | None = None) -> Refusal | None:
    """The refusal of a call, or None if it succeeds."""
    caller = RawCaller(server, person.key, person.secret)
    answer = caller.call(operation.service, operation.name, request or request_for(operation))
    return None if answer.status == 200 else refusal_of(answer)


def test_each_operation_has_a_permission_and_a_handler() -> None:
    assert {(each.service, each.name) for each in BUILT} == {
        (service, operation) for service, targets in TARGETS.items() for operation in targets
    }
    assert all(MODELS[each.service].operations[each.name].input_shape for each in BUILT)


@pytest.mark.parametrize("operation", BUILT, ids=lambda operation: operation.label)
def test_callers_without_permission_are_denied_and_callers_with_permission_are_not(
    server: Server, people: People, operation: Operation
) -> None:
    status = 400 if operation.service in ("kms", "moorage", "secretsmanager") else 403
    for person, reason in (
        (people.nobody, f"because no identity-based policy allows the {operation.label} action"),
        (people.denied, "with an explicit deny in an identity-based policy"),
    ):
        text = f"User: arn:aws:iam::{ACCOUNT}:user/{person.name} is not authorized to perform: {operation.label} on "
        expected = (status, "AccessDeniedException", f"{text}resource: {resource_of(operation)} {reason}")
        assert ask(server, person, operation) == expected

    needed = {operation.label, *FURTHER.get(operation.label, {}).values()}
    allowed = ask(server, person_with(server, allow(*needed)), operation)
    assert allowed is None or allowed.code != "AccessDeniedException"


@pytest.mark.parametrize("operation", BUILT, ids=lambda operation: operation.label)
def test_the_root_user_of_another_account_has_no_permission(
    server: Server, people: People, operation: Operation
) -> None:
    """Of another account's resources; a request that names none is about the caller's own."""
    request = request_for(operation)
    if "SecretId" in request:
        request["SecretId"] = SECRET_ARN.replace("??????", "AAAAAA")
    naming = {"SecretId", "profileOwner", "resourceArn", "jobOwner", "OpenIDConnectProviderArn", "PolicySourceArn"}
    is_of_policy = TARGETS[operation.service][operation.name] is FurtherTarget.POLICY
    names_the_owner = (naming | {"PolicyArn"} if is_of_policy else naming) & request.keys()
    is_of_server = operation.service == "moorage" and scope_of(operation.name, request) is Scope.SERVER

    refused = ask(server, people.stranger, operation, request)

    if is_of_server:
        assert refused is not None
        assert refused.code == "AccessDeniedException"
        assert refused.message.endswith("which only the operator's account may operate")
    elif not names_the_owner:
        assert refused is None or refused.code != "AccessDeniedException"
    elif operation.name in ("GetSigningProfile", "SignPayload"):
        assert refused is not None
        assert refused.code in ("ResourceNotFoundException", "ValidationException")  # Not before it is shared.
    else:
        assert refused is not None
        assert refused.code == "AccessDeniedException"


@pytest.mark.parametrize("operation", BUILT, ids=lambda operation: operation.label)
def test_callers_that_cannot_be_authenticated_are_rejected_first(server: Server, operation: Operation) -> None:
    request = request_for(operation)
    root = server.environment["AWS_ACCESS_KEY_ID"]

    forged = ask(server, Person("root", root, "x" * 40), operation, request)
    unknown = ask(server, Person("nobody", "AKIA" + "A" * 16, "x" * 40), operation, request)

    assert forged is not None
    assert forged.code == "InvalidSignatureException"
    assert unknown is not None
    assert unknown.code == "UnrecognizedClientException"
