"""Decisions explained to people: the same look-ups and the same evaluation as for a request, told in lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from moorage.core.identity import callers
from moorage.core.identity.accounts import AccountError
from moorage.core.identity.authorization import Question, decide
from moorage.domain.errors import InvalidParameter
from moorage.domain.identity.actions import OPERATIONS
from moorage.domain.identity.policies.explaining import explain
from moorage.domain.identity.policies.request import Circumstances
from moorage.domain.names import Registry, parse_repository_arn
from moorage.metadata.database import Transaction

ACTIONS: Final = frozenset(permission.action for permission in OPERATIONS.values()) | {
    "ecr:BatchImportUpstreamImage",
    "ecr:ReplicateImage",
}
"""Those that a request can need; the last two are for caches and replication."""

_REGISTRY: Final = "*"


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as people write it; `resource` is a repository's name or ARN, or `*`."""

    caller: str
    action: str
    resource: str
    region: str
    source_ip: str = ""


def answer(tx: Transaction, account: str, asked: Asked, now: int) -> tuple[bool, list[str]]:
    """Whether it is allowed, and why. Raises AccountError for what does not exist."""
    if asked.action not in ACTIONS:
        raise AccountError(f"{asked.action[:100]!r} is no action of ECR, as ecr:PutImage is")
    caller = callers.named(tx, account, asked.caller, asked.region)
    registry, repository = _place(asked.resource, caller.registry)
    question = Question(caller, asked.action, registry, repository, lambda: Circumstances(now, asked.source_ip))
    decision = decide(tx, question)
    return decision.allowed, explain(question.request({}), decision)


def _place(resource: str, own: Registry) -> tuple[Registry, str | None]:
    if resource == _REGISTRY:
        return own, None
    if not resource.startswith("arn:"):
        return own, resource
    try:
        return parse_repository_arn(resource)
    except InvalidParameter:
        raise AccountError(f"{resource[:300]!r} is no ARN of a repository") from None
