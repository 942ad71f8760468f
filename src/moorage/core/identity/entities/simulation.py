"""Simulation of requests: the decisions that `moorage explain` explains, for other callers and circumstances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from moorage.core.identity import callers
from moorage.core.identity.authorization import decide
from moorage.core.identity.explain import access_request
from moorage.domain.identity.callers import Caller
from moorage.domain.identity.errors import AccountError, MalformedPolicy, NoSuchEntity
from moorage.domain.identity.policies.document import PolicyKind, accept_policy
from moorage.domain.identity.policies.elements import BadPolicy
from moorage.domain.identity.policies.evaluation import Decision
from moorage.domain.identity.policies.keys import SET_BY_REGISTRY
from moorage.domain.identity.policies.request import RequestContext
from moorage.metadata.database import Transaction
from moorage.metadata.identity import policies
from moorage.metadata.identity.policies import AWS

LIMIT: Final = 1000
"""Pairs of an action and a resource in one simulation."""

_REQUEST_TAG: Final = "aws:requesttag/"
_INPUT: Final = "PolicyInputList"
"""The name of a policy that only a request has; AWS adds its number."""


class Question(NamedTuple):
    """An action, and a resource: an ARN, or `*`."""

    action: str
    resource: str


def nobody(account: str, region: str) -> Caller:
    """A caller of an account that is no user: of a simulation that names none."""
    return Caller(account, region, "", "", "")


def principal(tx: Transaction, account: str, arn: str, region: str) -> Caller:
    """The user or role of an account with this ARN, as a caller. Raises AccountError."""
    if not arn.startswith("arn:"):
        raise AccountError(f"{arn[:200]!r} is not the ARN of a user or role", f"ARN {arn} is not valid.")
    caller = callers.named(tx, account, arn, region)
    if caller.principal_arn != arn or caller.account != account:
        raise NoSuchEntity(f"there is no user or role {arn[:200]!r}", f"Entity {arn} does not exist.")
    return caller


def with_policies(caller: Caller, documents: Sequence[str], *, instead: bool = False) -> Caller:
    """A caller that also has these policies, or has them instead of its own. Raises MalformedPolicy."""
    try:
        more = tuple(
            accept_policy(text, PolicyKind.IDENTITY, f"{_INPUT}.{number}")
            for number, text in enumerate(documents, start=1)
        )
    except BadPolicy as error:
        raise MalformedPolicy(f"the policy is invalid: {error}") from None
    return replace(caller, policies=more if instead else (*caller.policies, *more))


def circumstances(values: Mapping[str, tuple[str, ...]], now: int) -> RequestContext:
    """The request context with these values of condition keys.

    Raises AccountError for a key whose value follows from the caller, the resource or the time.
    """
    keys = {key.lower(): found for key, found in values.items()}
    taken = sorted(keys.keys() & SET_BY_REGISTRY)
    if taken:
        raise AccountError(f"a simulation cannot set the condition key {taken[0]}")
    tags = {key.removeprefix(_REQUEST_TAG): found[0] for key, found in keys.items() if key.startswith(_REQUEST_TAG)}
    return RequestContext(
        time=now,
        source_ip=_first(keys, "aws:sourceip") or "",
        secure=_first(keys, "aws:securetransport") == "true",
        user_agent=_first(keys, "aws:useragent"),
        request_tags=tags,
        tag_keys=keys.get("aws:tagkeys", ()),
        extra={key: found for key, found in keys.items() if not key.startswith("aws:")},
    )


def decision(tx: Transaction, caller: Caller, asked: Question, context: RequestContext) -> Decision:
    """The decision on a request. The policies of repositories and of the registry count, too. Raises AccountError."""
    access = access_request(caller, asked.action, asked.resource)
    return decide(tx, access._replace(request_context=lambda: context))


def kinds_of_policies(tx: Transaction, caller: Caller) -> dict[str, str]:
    """What the policies of a user or role are in IAM's words, by name."""
    held = policies.policies_of(tx, caller.user_id.partition(":")[0])
    attached = {name.name: "aws-managed" if name.account == AWS else "user-managed" for name, _ in held.attached}
    return attached | {name: "user" if caller.role is None else "role" for name, _ in held.inline}


def _first(keys: Mapping[str, tuple[str, ...]], key: str) -> str | None:
    return next(iter(keys.get(key, ())), None)
