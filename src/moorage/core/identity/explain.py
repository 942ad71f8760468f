"""Explain an access decision in lines of text, from the same lookups and evaluation as for a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from moorage.core.identity import callers
from moorage.core.identity.authorization import AccessRequest, decide
from moorage.domain.errors import InvalidParameter
from moorage.domain.identity.callers import Caller
from moorage.domain.identity.errors import AccountError
from moorage.domain.identity.further_actions import ALL_ACTIONS, parse_arn
from moorage.domain.identity.policies.explaining import explain
from moorage.domain.identity.policies.request import RequestContext
from moorage.domain.names import Registry, parse_repository_arn
from moorage.metadata.database import Transaction

_REGISTRY: Final = "*"


@dataclass(frozen=True, slots=True)
class ExplainQuery:
    """An access request as text; `resource` is a repository's name, an ARN, or `*` for the registry."""

    caller: str
    action: str
    resource: str
    region: str
    source_ip: str = ""


def answer(tx: Transaction, account: str, query: ExplainQuery, now: int) -> tuple[bool, list[str]]:
    """Whether the request is allowed, and why. Raises AccountError for an unknown caller, action or resource."""
    caller = callers.named(tx, account, query.caller, query.region)
    context = RequestContext(now, query.source_ip)
    asked = access_request(caller, query.action, query.resource)._replace(request_context=lambda: context)
    decision = decide(tx, asked)
    return decision.allowed, explain(asked.request({}), decision)


def access_request(caller: Caller, action: str, resource: str) -> AccessRequest:
    """The access request for a resource given as text. Raises AccountError for an unknown action or resource."""
    if action not in ALL_ACTIONS:
        raise AccountError(f"{action[:100]!r} is not an action such as ecr:PutImage")
    service = action.partition(":")[0]
    if service == "ecr":
        return AccessRequest(caller, action, *_resource(resource, caller.registry))
    if resource == _REGISTRY:
        return AccessRequest(caller, action, caller.registry, own_tags={})
    parts = parse_arn(resource)
    if parts is None or parts[0] != service:
        raise AccountError(f"{resource[:300]!r} is not an ARN of {service}")
    owner = Registry(parts[2], parts[1] or caller.region)
    return AccessRequest(caller, action, owner, arn=resource, own_tags={})


def _resource(resource: str, default: Registry) -> tuple[Registry, str | None]:
    if resource == _REGISTRY:
        return default, None
    if not resource.startswith("arn:"):
        return default, resource
    try:
        return parse_repository_arn(resource)
    except InvalidParameter:
        raise AccountError(f"{resource[:300]!r} is not the ARN of a repository") from None
