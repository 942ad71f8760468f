"""The decision (IAM user guide, "Policy evaluation logic"): one pure function over policies and a request.

an explicit deny, wherever it is            denied
a session policy that does not allow        denied
the account's own resource                  allowed by an identity policy or by a resource's
another account's resource                  allowed by both
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final

from moorage.domain.identity.policies.document import Kind, Policy
from moorage.domain.identity.policies.request import Request
from moorage.domain.identity.policies.statements import Effect, Statement

Policies = tuple[Policy, ...]

_REMEMBERED: Final = 4096
"""Sets of policies, effects and actions of which the statements are remembered."""

_ALWAYS_ROOTS: Final = frozenset(
    {
        "ecr:SetRepositoryPolicy",
        "ecr:DeleteRepositoryPolicy",
        "ecr:PutRegistryPolicy",
        "ecr:DeleteRegistryPolicy",
    }
)
"""What no policy of a resource can take from the root user of its account: the way out of a lock-out."""


class Reason(Enum):
    """Why, in AWS's words where access is denied (IAM user guide, "Troubleshoot access denied error messages")."""

    ALLOWED = ""
    IDENTITY_DENY = "with an explicit deny in an identity-based policy"
    RESOURCE_DENY = "with an explicit deny in a resource-based policy"
    SESSION_DENY = "with an explicit deny in a session policy"
    NO_IDENTITY_ALLOW = "because no identity-based policy allows the {action} action"
    NO_RESOURCE_ALLOW = "because no resource-based policy allows the {action} action"
    NO_SESSION_ALLOW = "because no session policy allows the {action} action"

    def words(self, action: str) -> str:
        return self.value.format(action=action)


@dataclass(frozen=True, slots=True)
class Deciding:
    """A statement that decided, and the policy it is in."""

    policy: Policy
    statement: Statement


@dataclass(frozen=True, slots=True)
class Decision:
    """`deciding` is empty when nothing allowed it, or when the root user needed nothing to allow it."""

    reason: Reason
    deciding: tuple[Deciding, ...] = ()

    @property
    def allowed(self) -> bool:
        return self.reason is Reason.ALLOWED


@dataclass(frozen=True, slots=True)
class PolicySet:
    """All policies that speak about a request. `session` is None for who is not restricted to session policies."""

    identity: Policies
    resource: Policies = ()
    session: Policies | None = None


_DENIES: Final = {
    Kind.IDENTITY: Reason.IDENTITY_DENY,
    Kind.SESSION: Reason.SESSION_DENY,
    Kind.REPOSITORY: Reason.RESOURCE_DENY,
    Kind.REGISTRY: Reason.RESOURCE_DENY,
    Kind.TRUST: Reason.RESOURCE_DENY,
}

_ROOTS_OWN: Final = Decision(Reason.ALLOWED)


def evaluate(request: Request, policies: PolicySet) -> Decision:
    """Whether the request is allowed, and why."""
    resource = policies.resource
    if (not resource or request.action in _ALWAYS_ROOTS) and _is_owner(request) and policies.session is None:
        return _ROOTS_OWN
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


def _is_owner(request: Request) -> bool:
    return request.principal.is_root and request.principal.account == request.account


def _allowed(request: Request, policies: PolicySet) -> Decision:
    """The decision of whoever is not denied, session policies apart."""
    principal = request.principal
    by_identity = _first(request, Effect.ALLOW, policies.identity)
    trusted = by_identity is not None or principal.is_root
    if principal.account == request.account:
        if trusted:
            return _decided(by_identity)
        by_resource = next(_granting(request, policies.resource), None)
        return Decision(Reason.NO_IDENTITY_ALLOW) if by_resource is None else _decided(by_resource)
    by_resource = _first(request, Effect.ALLOW, policies.resource)
    if by_resource is None:
        return Decision(Reason.NO_RESOURCE_ALLOW)
    return _decided(by_identity, by_resource) if trusted else Decision(Reason.NO_IDENTITY_ALLOW)


def _decided(*deciding: Deciding | None) -> Decision:
    return Decision(Reason.ALLOWED, tuple(found for found in deciding if found is not None))


def _first(request: Request, effect: Effect, policies: Policies) -> Deciding | None:
    """The first statement with this effect that applies."""
    for deciding in _candidates(policies, effect, request.action):
        if deciding.statement.applies(request):
            return deciding
    return None


@lru_cache(maxsize=_REMEMBERED)
def _candidates(policies: Policies, effect: Effect, action: str) -> tuple[Deciding, ...]:
    """The statements with this effect that name the action."""
    return tuple(
        Deciding(policy, statement) for policy in policies for statement in policy.statements_on(effect, action)
    )


def _granting(request: Request, policies: Policies) -> Iterator[Deciding]:
    """The statements that give a right to someone of the resource's own account.

    One that names the account as a whole only lets the account's identity policies decide (IAM user guide, "AWS
    account principals"), which they do anyhow.
    """
    whole = f"AWS:arn:aws:iam::{request.account}:root"
    names = request.principal.names - {whole}
    for deciding in _candidates(policies, Effect.ALLOW, request.action):
        principals = deciding.statement.principals
        if principals is not None and principals.name(names) and deciding.statement.applies(request):
            yield deciding
