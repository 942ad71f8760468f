"""Assuming a role: permission, duration and session policies (STS API reference, AssumeRole…).

The role's trust policy must allow the caller. If it trusts a whole account, or a caller of another account, the
caller's identity policies must allow the call as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from moorage.core.identity import policies as identity_policies
from moorage.core.identity.entities.providers import WITHOUT_KEYS
from moorage.core.identity.roles import TRUSTING_NOBODY
from moorage.core.identity.sessions import RoleSession
from moorage.domain.errors import AccessDenied, InvalidParameter
from moorage.domain.identity.callers import Caller
from moorage.domain.identity.errors import AccountError
from moorage.domain.identity.policies.document import Policy, PolicyKind, accept_policy, parse_policy
from moorage.domain.identity.policies.elements import BadPolicy
from moorage.domain.identity.policies.evaluation import Decision, PolicySet, Reason, evaluate
from moorage.domain.identity.policies.request import PolicyRequest, RequestContext
from moorage.domain.identity.policies.statements import Effect
from moorage.domain.identity.session_errors import (
    InvalidIdentityToken,
    MalformedPolicyDocument,
    RootCannotAssume,
    SessionTooLong,
    WebIdentityDenied,
)
from moorage.domain.units import SECOND
from moorage.first_use import at_first_use
from moorage.metadata.database import Transaction
from moorage.metadata.identity import providers as identity_providers
from moorage.metadata.identity import roles
from moorage.metadata.identity.policies import AWS
from moorage.metadata.identity.providers import issuer_name, provider_arn
from moorage.metadata.identity.roles import Role

if TYPE_CHECKING:
    from moorage.core.identity import oidc_tokens
    from moorage.core.identity.oidc_tokens import Claims
else:
    oidc_tokens = at_first_use("moorage.core.identity.oidc_tokens")

DEFAULT_SECONDS: Final = 3600
CHAINED_SECONDS: Final = 3600
"""IAM user guide, "Role chaining": at most one hour, even if the role allows more."""

SECONDS: Final = range(900, 43_201)
_POLICY_LIMIT: Final = 10
_SESSION_NAME: Final = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
_EXTERNAL_ID: Final = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)
_ROLE_ARN: Final = re.compile(r"arn:aws:iam::(\d{12}):role(/(?:[!-.0-~]+/)*)([\w+=,.@-]{1,64})", re.ASCII)


@dataclass(frozen=True, slots=True)
class AssumeRoleRequest:
    """The parameters of a call; `seconds` is None for the default duration."""

    role_arn: str
    session_name: str
    seconds: int | None = None
    policy: str | None = None
    policy_arns: tuple[str, ...] = ()
    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class AssumedSession:
    """An assumed role, its session, and how long the session lasts (`duration`, microseconds)."""

    role: Role
    session: RoleSession
    duration: int


@dataclass(frozen=True, slots=True)
class WebIdentity:
    """The principal of AssumeRoleWithWebIdentity: the subject of a verified identity token."""

    account: str
    arn: str
    unique_id: str
    names: frozenset[str]
    kind: str = "WebIdentity"
    is_root: bool = False
    user_name: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    issued_at: int | None = None

    @property
    def principal_arn(self) -> str:
        return self.arn


def assume(
    tx: Transaction, caller: Caller, request: AssumeRoleRequest, request_context: RequestContext
) -> AssumedSession:
    """AssumeRole. Raises AccessDenied, RootCannotAssume, InvalidParameter, MalformedPolicyDocument, SessionTooLong."""
    account, role = _find_role(tx, request)
    session = _role_session(tx, account, role, request)
    if caller.is_root:
        raise RootCannotAssume
    more = {"sts:rolesessionname": (request.session_name,)}
    if request.external_id is not None:
        more["sts:externalid"] = (request.external_id,)
    action = "sts:AssumeRole"
    decision = _decide(
        PolicyRequest(caller, action, request.role_arn, account, caller.region, replace(request_context, extra=more)),
        PolicySet(caller.policies, _trust_policies(role), caller.session_policies),
    )
    if not decision.allowed or role is None:
        raise AccessDenied(
            principal=caller.arn,
            action=action,
            resource=request.role_arn,
            reason=decision.reason.words(action),
        )
    return AssumedSession(role, session, _duration(request, role, is_chained=caller.role is not None))


def assume_with_web_identity(
    tx: Transaction, token: str, request: AssumeRoleRequest, request_context: RequestContext
) -> tuple[AssumedSession, Claims]:
    """AssumeRoleWithWebIdentity: the token must come from an identity provider of the role's account.

    The token must be valid at the time of the request context. Raises InvalidIdentityToken, ExpiredIdentityToken,
    WebIdentityDenied, InvalidParameter, MalformedPolicyDocument, SessionTooLong.
    """
    account, role = _find_role(tx, request)
    session = _role_session(tx, account, role, request)
    claims = _verify_token(tx, account, token, request_context.time)
    return _assumed(role, session, claims, request, request_context, account), claims


def assume_with_claims(
    tx: Transaction, claims: Claims, request: AssumeRoleRequest, request_context: RequestContext
) -> AssumedSession:
    """The session of a role for claims that were verified already, by a sign-in at the console.

    The role's trust policy decides as in AssumeRoleWithWebIdentity: the principal is the issuer in the role's account.
    Raises WebIdentityDenied, InvalidParameter, SessionTooLong.
    """
    account, role = _find_role(tx, request)
    session = _role_session(tx, account, role, request)
    return _assumed(role, session, claims, request, request_context, account)


def _assumed(
    role: Role | None,
    session: RoleSession,
    claims: Claims,
    request: AssumeRoleRequest,
    request_context: RequestContext,
    account: str,
) -> AssumedSession:
    name = issuer_name(claims.issuer)
    arn = provider_arn(account, claims.issuer)
    more = {f"{name}:{claim}".lower(): values for claim, values in _condition_keys(claims).items()}
    more["sts:rolesessionname"] = (request.session_name,)
    principal = WebIdentity(account, arn, claims.subject, frozenset({f"Federated:{arn}"}))
    action = "sts:AssumeRoleWithWebIdentity"
    decision = _decide(
        PolicyRequest(principal, action, request.role_arn, account, "", replace(request_context, extra=more)),
        PolicySet((), _trust_policies(role)),
    )
    if role is None or not decision.allowed:
        raise WebIdentityDenied
    return AssumedSession(role, session, _duration(request, role, is_chained=False))


def _decide(request: PolicyRequest, policies: PolicySet) -> Decision:
    """Decide as for any resource, except that the trust policy must always allow the request."""
    decision = evaluate(request, policies)
    if decision.allowed and not any(_trusts(policy, request) for policy in policies.resource):
        return Decision(Reason.NO_RESOURCE_ALLOW)
    return decision


def _trusts(policy: Policy, request: PolicyRequest) -> bool:
    return any(statement.applies(request) for statement in policy.statements_on(Effect.ALLOW, request.action))


def _trust_policies(role: Role | None) -> tuple[Policy, ...]:
    """A role's trust policy. A missing one trusts nobody: neither the error nor its time reveals that it is missing."""
    if role is None:
        return (parse_policy(TRUSTING_NOBODY, PolicyKind.TRUST),)
    return (parse_policy(role.trust_policy, PolicyKind.TRUST, role.name),)


def _verify_token(tx: Transaction, account: str, token: str, now: int) -> Claims:
    issuer = oidc_tokens.issuer_of(token)
    provider = identity_providers.find_provider(tx, account, issuer)
    if provider is None:
        raise InvalidIdentityToken(
            reason=f"No OpenIDConnect provider found in your account for {issuer[:255]}",
        )
    if provider.key_set == WITHOUT_KEYS:
        raise InvalidIdentityToken(reason=f"The provider {provider.arn} has no keys yet: run `moorage oidc put`")
    claims = oidc_tokens.verify(token, provider.key_set, now)
    if not set(provider.audiences).intersection(claims.audiences):
        raise InvalidIdentityToken(reason="Incorrect token audience")
    return claims


def _condition_keys(claims: Claims) -> dict[str, tuple[str, ...]]:
    """Condition keys of a token (IAM user guide, "Available keys for AWS OIDC federation").

    If the token has an authorized party, `aud` is that party and `oaud` is the token's audience.
    """
    if claims.party is None:
        return {**claims.values, "aud": claims.audiences}
    return {**claims.values, "aud": (claims.party,), "oaud": claims.audiences}


def _find_role(tx: Transaction, request: AssumeRoleRequest) -> tuple[str, Role | None]:
    """The account in the role's ARN, and its role with that path and name."""
    found = _ROLE_ARN.fullmatch(request.role_arn)
    if found is None:
        raise InvalidParameter(parameter="roleArn", constraint="Invalid ARN")
    role = roles.find_role(tx, found[1], found[3])
    return found[1], role if role is not None and role.path == found[2] else None


def _role_session(tx: Transaction, account: str, role: Role | None, request: AssumeRoleRequest) -> RoleSession:
    if _SESSION_NAME.fullmatch(request.session_name) is None:
        constraint = r"Member must satisfy regular expression pattern: [\w+=,.@-]{2,64}"
        raise InvalidParameter(parameter="roleSessionName", constraint=constraint)
    if request.external_id is not None and _EXTERNAL_ID.fullmatch(request.external_id) is None:
        constraint = r"Member must satisfy regular expression pattern: [\w+=,.@:\/-]{2,1224}"
        raise InvalidParameter(parameter="externalId", constraint=constraint)
    if request.seconds is not None and request.seconds not in SECONDS:
        constraint = f"Member must have value between {SECONDS.start} and {SECONDS.stop - 1}"
        raise InvalidParameter(parameter="durationSeconds", constraint=constraint)
    _check_policies(tx, account, request)
    return RoleSession("" if role is None else role.id, request.session_name, request.policy, request.policy_arns)


def _check_policies(tx: Transaction, account: str, request: AssumeRoleRequest) -> None:
    """The managed session policies must exist, in the role's account or among AWS's."""
    if len(request.policy_arns) > _POLICY_LIMIT:
        constraint = f"Member must have length less than or equal to {_POLICY_LIMIT}"
        raise InvalidParameter(parameter="policyArns", constraint=constraint)
    try:
        if request.policy is not None:
            accept_policy(request.policy, PolicyKind.SESSION)
        for arn in request.policy_arns:
            _check_policy(tx, account, arn)
    except (BadPolicy, AccountError) as error:
        raise MalformedPolicyDocument(reason=str(error)) from None


def _check_policy(tx: Transaction, account: str, arn: str) -> None:
    if not arn.startswith("arn:"):
        raise AccountError(f"{arn[:200]!r} is not the ARN of a policy")
    policy = identity_policies.policy_name(account, arn)
    if policy.account not in {AWS, account}:
        raise AccountError(f"{arn[:200]} belongs to another account")
    identity_policies.document_of(tx, policy)


def _duration(request: AssumeRoleRequest, role: Role, *, is_chained: bool) -> int:
    seconds = DEFAULT_SECONDS if request.seconds is None else request.seconds
    if seconds > role.max_session_seconds:
        raise SessionTooLong(limit="MaxSessionDuration set for this role")
    if is_chained and seconds > CHAINED_SECONDS:
        raise SessionTooLong(limit="1 hour session limit for roles assumed by role chaining")
    return seconds * SECOND
