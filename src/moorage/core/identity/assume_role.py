"""Assuming a role: who may, for how long, and with which session policies (STS API reference, AssumeRole…).

Both sides must agree: the role's trust policy names who may assume it, and within an account a trust in the account as
a whole leaves it to the identity policies, as does any trust in another account.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from moorage.core.identity import oidc_tokens
from moorage.core.identity import policies as identity_policies
from moorage.core.identity.accounts import AccountError
from moorage.core.identity.oidc_tokens import Claims
from moorage.core.identity.sessions import RoleSession
from moorage.domain.errors import AccessDenied, InvalidParameter
from moorage.domain.identity.callers import Caller
from moorage.domain.identity.policies.document import Kind, Policy, accept_policy, parse_policy
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
from moorage.metadata.database import Transaction
from moorage.metadata.identity import providers as identity_providers
from moorage.metadata.identity import roles
from moorage.metadata.identity.policies import AWS
from moorage.metadata.identity.providers import IdentityProvider
from moorage.metadata.identity.roles import Role

DEFAULT_SECONDS: Final = 3600
CHAINED_SECONDS: Final = 3600
"""IAM user guide, "Role chaining": one hour at most, whatever the role allows."""

SECONDS: Final = range(900, 43_201)
_POLICY_LIMIT: Final = 10
_SESSION_NAME: Final = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
_EXTERNAL_ID: Final = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)
_ROLE_ARN: Final = re.compile(r"arn:aws:iam::(\d{12}):role(/(?:[!-.0-~]+/)*)([\w+=,.@-]{1,64})", re.ASCII)


@dataclass(frozen=True, slots=True)
class AssumeRoleRequest:
    """What a caller asks for; `seconds` is None for the default."""

    role_arn: str
    session_name: str
    seconds: int | None = None
    policy: str | None = None
    policy_arns: tuple[str, ...] = ()
    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class AssumedSession:
    """A role that may be assumed, the session it gives, and how long that lasts (microseconds)."""

    role: Role
    session: RoleSession
    life: int


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whoever holds a proven identity token, as trust policies can speak of it."""

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


def assume(tx: Transaction, caller: Caller, wish: AssumeRoleRequest, request_context: RequestContext) -> AssumedSession:
    """Raises AccessDenied, RootCannotAssume, InvalidParameter, MalformedPolicyDocument, SessionTooLong."""
    account, role = _role_of(tx, wish)
    session = _session_of(tx, account, role, wish)
    if caller.is_root:
        raise RootCannotAssume
    more = {"sts:rolesessionname": (wish.session_name,)}
    if wish.external_id is not None:
        more["sts:externalid"] = (wish.external_id,)
    request = PolicyRequest(
        caller, "sts:AssumeRole", wish.role_arn, account, caller.region, replace(request_context, extra=more)
    )
    trust = _trust_of(role)
    decision = _decide(request, PolicySet(caller.policies, trust, caller.session_policies))
    if not decision.allowed or role is None:
        raise AccessDenied(
            principal=caller.arn,
            action=request.action,
            resource=wish.role_arn,
            reason=decision.reason.words(request.action),
        )
    return AssumedSession(role, session, _life(wish, role, is_chained=caller.role is not None))


def assume_with_web_identity(
    tx: Transaction, token: str, wish: AssumeRoleRequest, request_context: RequestContext
) -> tuple[AssumedSession, Claims]:
    """For whoever brings a token of a provider that the role's account believes. The time is the circumstances'.

    Raises InvalidIdentityToken, ExpiredIdentityToken, WebIdentityDenied, InvalidParameter, MalformedPolicyDocument,
    SessionTooLong.
    """
    account, role = _role_of(tx, wish)
    session = _session_of(tx, account, role, wish)
    claims, provider = _proven(tx, account, token, request_context.time)
    more = {f"{provider.name}:{name}".lower(): values for name, values in _keys(claims).items()}
    more["sts:rolesessionname"] = (wish.session_name,)
    bearer = Bearer(account, provider.arn, claims.subject, frozenset({f"Federated:{provider.arn}"}))
    action = "sts:AssumeRoleWithWebIdentity"
    request = PolicyRequest(bearer, action, wish.role_arn, account, "", replace(request_context, extra=more))
    if role is None or not _decide(request, PolicySet((), _trust_of(role))).allowed:
        raise WebIdentityDenied
    return AssumedSession(role, session, _life(wish, role, is_chained=False)), claims


def _decide(request: PolicyRequest, policies: PolicySet) -> Decision:
    """As for every resource, but that nobody assumes a role whose trust policy does not say so."""
    decision = evaluate(request, policies)
    if decision.allowed and not any(_trusts(policy, request) for policy in policies.resource):
        return Decision(Reason.NO_RESOURCE_ALLOW)
    return decision


def _trusts(policy: Policy, request: PolicyRequest) -> bool:
    return any(statement.applies(request) for statement in policy.statements_on(Effect.ALLOW, request.action))


def _trust_of(role: Role | None) -> tuple[Policy, ...]:
    """A role that does not exist trusts nobody, and is refused in the same words."""
    return () if role is None else (parse_policy(role.trust_policy, Kind.TRUST, role.name),)


def _proven(tx: Transaction, account: str, token: str, now: int) -> tuple[Claims, IdentityProvider]:
    issuer = oidc_tokens.issuer_of(token)
    provider = identity_providers.find_provider(tx, account, issuer)
    if provider is None:
        raise InvalidIdentityToken(
            reason=f"No OpenIDConnect provider found in your account for {issuer[:255]}",
        )
    claims = oidc_tokens.verify(token, provider.key_set, now)
    if not set(provider.audiences).intersection(claims.audiences):
        raise InvalidIdentityToken(reason="Incorrect token audience")
    return claims, provider


def _keys(claims: Claims) -> dict[str, tuple[str, ...]]:
    """Condition keys of a token (IAM user guide, "Available keys for AWS OIDC federation").

    `aud` is the authorized party where a token has one, and `oaud` then its audience.
    """
    if claims.party is None:
        return {**claims.values, "aud": claims.audiences}
    return {**claims.values, "aud": (claims.party,), "oaud": claims.audiences}


def _role_of(tx: Transaction, wish: AssumeRoleRequest) -> tuple[str, Role | None]:
    """The account that the ARN names, and its role of that path and name."""
    found = _ROLE_ARN.fullmatch(wish.role_arn)
    if found is None:
        raise InvalidParameter(parameter="roleArn", constraint="Invalid ARN")
    role = roles.find_role(tx, found[1], found[3])
    return found[1], role if role is not None and role.path == found[2] else None


def _session_of(tx: Transaction, account: str, role: Role | None, wish: AssumeRoleRequest) -> RoleSession:
    if _SESSION_NAME.fullmatch(wish.session_name) is None:
        constraint = r"Member must satisfy regular expression pattern: [\w+=,.@-]{2,64}"
        raise InvalidParameter(parameter="roleSessionName", constraint=constraint)
    if wish.external_id is not None and _EXTERNAL_ID.fullmatch(wish.external_id) is None:
        constraint = r"Member must satisfy regular expression pattern: [\w+=,.@:\/-]{2,1224}"
        raise InvalidParameter(parameter="externalId", constraint=constraint)
    if wish.seconds is not None and wish.seconds not in SECONDS:
        constraint = f"Member must have value between {SECONDS.start} and {SECONDS.stop - 1}"
        raise InvalidParameter(parameter="durationSeconds", constraint=constraint)
    _check_policies(tx, account, wish)
    return RoleSession("" if role is None else role.id, wish.session_name, wish.policy, wish.policy_arns)


def _check_policies(tx: Transaction, account: str, wish: AssumeRoleRequest) -> None:
    """Session policies: what they name must be there, in the role's account or of AWS."""
    if len(wish.policy_arns) > _POLICY_LIMIT:
        constraint = f"Member must have length less than or equal to {_POLICY_LIMIT}"
        raise InvalidParameter(parameter="policyArns", constraint=constraint)
    try:
        if wish.policy is not None:
            accept_policy(wish.policy, Kind.SESSION)
        for arn in wish.policy_arns:
            _check_policy(tx, account, arn)
    except (BadPolicy, AccountError) as error:
        raise MalformedPolicyDocument(reason=str(error)) from None


def _check_policy(tx: Transaction, account: str, arn: str) -> None:
    if not arn.startswith("arn:"):
        raise AccountError(f"{arn[:200]!r} is no ARN of a policy")
    policy = identity_policies.policy_name(account, arn)
    if policy.account not in {AWS, account}:
        raise AccountError(f"{arn[:200]} belongs to another account")
    identity_policies.document_of(tx, policy)


def _life(wish: AssumeRoleRequest, role: Role, *, is_chained: bool) -> int:
    seconds = DEFAULT_SECONDS if wish.seconds is None else wish.seconds
    if seconds > role.max_session_seconds:
        raise SessionTooLong(limit="MaxSessionDuration set for this role")
    if is_chained and seconds > CHAINED_SECONDS:
        raise SessionTooLong(limit="1 hour session limit for roles assumed by role chaining")
    return seconds * SECOND
