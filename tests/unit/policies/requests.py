"""Requests and policies for tests of decisions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moorage.domain.identity.callers import ROOT, Caller
from moorage.domain.identity.policies.document import Policy, PolicyKind, parse_policy
from moorage.domain.identity.policies.evaluation import Decision, PolicySet, evaluate
from moorage.domain.identity.policies.request import PolicyRequest, RequestContext
from tests.support.policies import policy

OURS, THEIRS = "111111111111", "222222222222"
REGION = "eu-west-1"
REPOSITORY = f"arn:aws:ecr:{REGION}:{OURS}:repository/team/app"
ALICE = Caller(OURS, REGION, "AIDAALICE", "alice", "AKIAALICE")
OWNER = Caller(OURS, REGION, "AIDAROOT", ROOT, "AKIAROOT")
STRANGER = Caller(THEIRS, REGION, "AIDASTRANGER", "stranger", "AKIASTRANGER")
PULL, PUSH = "ecr:BatchGetImage", "ecr:PutImage"


def request(
    caller: Caller = ALICE,
    action: str = PULL,
    resource: str = REPOSITORY,
    tags: Mapping[str, str] | None = None,
    **request_context: Any,
) -> PolicyRequest:
    return PolicyRequest(caller, action, resource, OURS, REGION, RequestContext(**request_context), tags or {})


def identity(*statements: dict[str, Any]) -> tuple[Policy, ...]:
    """Identity policies with these statements, for all resources by default."""
    return tuple(parse_policy(policy(_about_all(statement)), PolicyKind.IDENTITY, "") for statement in statements)


def session(*statements: dict[str, Any]) -> tuple[Policy, ...]:
    return tuple(parse_policy(policy(_about_all(statement)), PolicyKind.SESSION, "") for statement in statements)


def repository(*statements: dict[str, Any]) -> tuple[Policy, ...]:
    """A repository policy with these statements, for all principals by default."""
    return (
        parse_policy(policy(*(_for_all(statement) for statement in statements)), PolicyKind.REPOSITORY, "team/app"),
    )


def decided(access_request: PolicyRequest, **policies: Any) -> Decision:
    """The decision with only these policies: `identity`, `resource`, `session`."""
    return evaluate(access_request, PolicySet(**({"identity": ()} | policies)))


def allow(*actions: str, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), **more}


def deny(*actions: str, **more: Any) -> dict[str, Any]:
    return {"Effect": "Deny", "Action": list(actions), **more}


def _about_all(statement: dict[str, Any]) -> dict[str, Any]:
    return statement if "NotResource" in statement else {"Resource": "*"} | statement


def _for_all(statement: dict[str, Any]) -> dict[str, Any]:
    return statement if "NotPrincipal" in statement else {"Principal": "*"} | statement
