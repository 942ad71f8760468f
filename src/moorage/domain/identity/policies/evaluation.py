"""Policy evaluation (IAM user guide, "Policy evaluation logic"): one pure function of policies and an access request.

an explicit deny in any policy              denied
a session policy that does not allow        denied
a resource of the caller's account          allowed by an identity policy or a resource policy
a resource of another account               allowed by both
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

from moorage.bounds import bounded_cache
from moorage.domain.identity.policies.document import CACHED_CHARACTERS, Policy, PolicyKind, length_of
from moorage.domain.identity.policies.request import PolicyRequest
from moorage.domain.identity.policies.statements import Effect, Statement

Policies = tuple[Policy, ...]

_CACHED_CANDIDATES: Final = 4096
"""How many combinations of policies, effect and action have their statements cached."""

_ROOT_ALWAYS: Final = frozenset(
    {
        "ecr:SetRepositoryPolicy",
        "ecr:DeleteRepositoryPolicy",
        "ecr:PutRegistryPolicy",
        "ecr:DeleteRegistryPolicy",
    }
)
"""Actions that no resource policy can deny to the root user of its account, as a way out of a lock-out."""


class Reason(Enum):
    """The reason; for denials in AWS's words (IAM user guide, "Troubleshoot access denied error messages")."""

    ALLOWED = ""
    IDENTITY_DENY = "with an explicit deny in an identity-based policy"
    RESOURCE_DENY = "with an explicit deny in a resource-based policy"
    SESSION_DENY = "with an explicit deny in a session policy"
    NO_IDENTITY_ALLOW = "because no identity-based policy allows the {action} action"
    NO_RESOURCE_ALLOW = "because no resource-based policy allows the {action} action"
    NO_SESSION_ALLOW = "because no session policy allows the {action} action"

    def words(self, action: str) -> str:
        return self.value.format(action=action)


EXPLICIT_DENIES: Final = frozenset({Reason.IDENTITY_DENY, Reason.RESOURCE_DENY, Reason.SESSION_DENY})


@dataclass(frozen=True, slots=True)
class DecidingStatement:
    """A deciding statement and its policy."""

    policy: Policy
    statement: Statement


@dataclass(frozen=True, slots=True)
class Decision:
    """`deciding` is empty if no statement allowed the request, or if the root user needed none."""

    reason: Reason
    deciding: tuple[DecidingStatement, ...] = ()

    @property
    def allowed(self) -> bool:
        return self.reason is Reason.ALLOWED


@dataclass(frozen=True, slots=True)
class PolicySet:
    """All policies that apply to a request. `session` is None for callers that session policies do not restrict."""

    identity: Policies
    resource: Policies = ()
    session: Policies | None = None


_DENIES: Final = {
    PolicyKind.IDENTITY: Reason.IDENTITY_DENY,
    PolicyKind.SESSION: Reason.SESSION_DENY,
    PolicyKind.REPOSITORY: Reason.RESOURCE_DENY,
    PolicyKind.REGISTRY: Reason.RESOURCE_DENY,
    PolicyKind.TRUST: Reason.RESOURCE_DENY,
}

_ALLOWED_AS_ROOT: Final = Decision(Reason.ALLOWED)


def evaluate(request: PolicyRequest, policies: PolicySet) -> Decision:
    """Decide whether the request is allowed, and why."""
    resource = policies.resource
    if (not resource or request.action in _ROOT_ALWAYS) and _is_owner(request) and policies.session is None:
        return _ALLOWED_AS_ROOT
    for group in (policies.identity, policies.session or (), resource):
        denied = _first(request, Effect.DENY, group)
        if denied is None:
            continue
        return Decision(_DENIES[denied.policy.kind], (denied,))
    if policies.session is None:
        return _allowed(request, policies)
    allowed = _allowed(request, policies)
    by_session = _first(request, Effect.ALLOW, policies.session)
    if allowed.allowed and by_session is None:
        return Decision(Reason.NO_SESSION_ALLOW)
    return allowed if by_session is None else Decision(allowed.reason, (*allowed.deciding, by_session))


def _is_owner(request: PolicyRequest) -> bool:
    return request.principal.is_root and request.principal.account == request.account


def _allowed(request: PolicyRequest, policies: PolicySet) -> Decision:
    """The decision without denies and session policies."""
    principal = request.principal
    by_identity = _first(request, Effect.ALLOW, policies.identity)
    trusted = by_identity is not None or principal.is_root
    if principal.account == request.account:
        if trusted:
            return _allowed_by(by_identity)
        by_resource = next(_granting(request, policies.resource), None)
        return Decision(Reason.NO_IDENTITY_ALLOW) if by_resource is None else _allowed_by(by_resource)
    by_resource = _first(request, Effect.ALLOW, policies.resource)
    if by_resource is None:
        return Decision(Reason.NO_RESOURCE_ALLOW)
    return _allowed_by(by_identity, by_resource) if trusted else Decision(Reason.NO_IDENTITY_ALLOW)


def _allowed_by(*deciding: DecidingStatement | None) -> Decision:
    return Decision(Reason.ALLOWED, tuple(found for found in deciding if found is not None))


def _first(request: PolicyRequest, effect: Effect, policies: Policies) -> DecidingStatement | None:
    """The first statement with this effect that applies."""
    for deciding in _candidates(policies, effect, request.action):
        if deciding.statement.applies(request):
            return deciding
    return None


@bounded_cache(_CACHED_CANDIDATES, CACHED_CHARACTERS, length_of)
def _candidates(policies: Policies, effect: Effect, action: str) -> tuple[DecidingStatement, ...]:
    """The statements with this effect that name the action."""
    return tuple(
        DecidingStatement(policy, statement)
        for policy in policies
        for statement in policy.statements_on(effect, action)
    )


def _granting(request: PolicyRequest, policies: Policies) -> Iterator[DecidingStatement]:
    """The statements that allow the request to a principal of the resource's own account.

    A statement that names the account as a whole only delegates to the account's identity policies (IAM user guide,
    "AWS account principals"), which are evaluated anyway.
    """
    account_root = f"AWS:arn:aws:iam::{request.account}:root"
    names = request.principal.names - {account_root}
    for deciding in _candidates(policies, Effect.ALLOW, request.action):
        principals = deciding.statement.principals
        if principals is not None and principals.lists(names) and deciding.statement.applies(request):
            yield deciding
