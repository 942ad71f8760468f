"""What the endpoint knows of one service of AWS. Each service has one such value, and `app.py` lists them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic

from moorage.api.call import C, HandlerOf
from moorage.aws.service_model import Operation, ServiceModel
from moorage.domain.identity.callers import Caller
from moorage.domain.names import Registry

Members = Mapping[str, Any]


def own_registry(caller: Caller, _members: Members) -> Registry:
    """The caller's own account and Region."""
    return caller.registry


def no_tags(_members: Members) -> Mapping[str, str]:
    return {}


def no_tag_keys(_members: Members) -> Iterable[str]:
    return ()


def no_advice(_operation: Operation) -> str:
    return ""


def advice_by_name(texts: Mapping[str, str], otherwise: str) -> Callable[[Operation], str]:
    """Advice on operations that are not built: the text of the first part that is in the operation's name."""
    return lambda operation: next((text for part, text in texts.items() if part in operation.name), otherwise)


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsService(Generic[C]):
    """A service: its model, and what is special about its calls.

    `call` is the type of its calls. `authorize` raises AccessDenied for a call that the caller may not make, and runs
    before the handler. `registry_of` finds the account and Region that a request is about. `tags_of` and `tag_keys_of`
    return the tags that a request sets, and the keys of those that it removes. `fault_code` names internal errors.
    `advice` says what to do instead of an operation that is not built. `is_published`: changes are published as events.
    """

    model: ServiceModel
    handlers: Mapping[str, HandlerOf[C]]
    call: type[C]
    authorize: Callable[[C, Operation, dict[str, Any]], Awaitable[None]]
    fault_code: str
    tags_of: Callable[[Members], Mapping[str, str]] = no_tags
    tag_keys_of: Callable[[Members], Iterable[str]] = no_tag_keys
    registry_of: Callable[[Caller, dict[str, Any]], Registry] = own_registry
    body_limits: Mapping[str, int] = field(default_factory=dict)
    advice: Callable[[Operation], str] = no_advice
    is_published: bool = False
