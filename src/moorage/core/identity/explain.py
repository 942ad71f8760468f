"""Decisions explained to people: the same look-ups and the same evaluation as for a request, told in lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from moorage.core.identity import callers
from moorage.core.identity.accounts import AccountError
from moorage.core.identity.authorization import AccessRequest, decide
from moorage.domain.errors import InvalidParameter
from moorage.domain.identity.actions import OPERATIONS
from moorage.domain.identity.policies.explaining import explain
from moorage.domain.identity.policies.request import RequestContext
from moorage.domain.names import Registry, parse_repository_arn
from moorage.metadata.database import Transaction

ACTIONS: Final = frozenset(permission.action for permission in OPERATIONS.values()) | {
    "ecr:BatchImportUpstreamImage",
    "ecr:ReplicateImage",
}
"""Those that a request can need; the last two are for caches and replication."""

_REGISTRY: Final = "*"


@dataclass(frozen=True, slots=True)
class ExplainQuery:
    """A question as people write it; `resource` is a repository's name or ARN, or `*`."""

    caller: str
    action: str
    resource: str
    region: str
    source_ip: str = ""


def answer(tx: Transaction, account: str, asked: ExplainQuery, now: int) -> tuple[bool, list[str]]:
    """Whether it is allowed, and why. Raises AccountError for what does not exist."""
    if asked.action not in ACTIONS:
        raise AccountError(f"{asked.action[:100]!r} is no action of ECR, as ecr:PutImage is")
    caller = callers.named(tx, account, asked.caller, asked.region)
    registry, repository = _place(asked.resource, caller.registry)
    access_request = AccessRequest(
        caller, asked.action, registry, repository, lambda: RequestContext(now, asked.source_ip)
    )
    decision = decide(tx, access_request)
    return decision.allowed, explain(access_request.request({}), decision)


def _place(resource: str, own: Registry) -> tuple[Registry, str | None]:
    if resource == _REGISTRY:
        return own, None
    if not resource.startswith("arn:"):
        return own, resource
    try:
        return parse_repository_arn(resource)
    except InvalidParameter:
        raise AccountError(f"{resource[:300]!r} is no ARN of a repository") from None
