"""The operating API as a service of the API endpoint: the permissions of its calls, and its pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moorage.api.call import ApiCall, HandlerOf
from moorage.api.pages import page_of
from moorage.api.service import AwsService
from moorage.aws.service_model import MODELS, Operation
from moorage.core.events.audit import SERVER_FAULT
from moorage.core.pages import Page, Position
from moorage.core.registry import repositories
from moorage.domain.errors import AccessDenied, Validation
from moorage.domain.identity.operating_actions import SERVICE, Scope, scope_of
from moorage.domain.registry.errors import RepositoryNotFound
from moorage.metadata.database import Transaction
from moorage.metadata.registry.repositories import Repository
from moorage.operating.refusals import ResourceNotFound

_LARGEST_PAGE = 100


def service(handlers: Mapping[str, HandlerOf[ApiCall]]) -> AwsService[ApiCall]:
    """The service with these operations."""
    return AwsService(
        model=MODELS[SERVICE],
        handlers=handlers,
        call=ApiCall,
        authorize=_authorize,
        fault_code=SERVER_FAULT,
    )


async def _authorize(call: ApiCall, operation: Operation, members: dict[str, Any]) -> None:
    """Raises AccessDenied. Callers of other accounts than the operator's may do nothing with the whole server."""
    scope, action = scope_of(operation.name, members), f"{SERVICE}:{operation.name}"
    if scope is Scope.VISIBLE:
        return
    await call.authorize(call.access_to(action))
    if scope is Scope.SERVER and call.caller.account != call.services.operator:
        raise AccessDenied(
            principal=call.caller.arn,
            action=action,
            resource="*",
            reason="because it is about the whole server, which only the operator's account may operate",
        )


def requested_page(call: ApiCall, request: Mapping[str, Any], scope: str, start: Position) -> Page[Position]:
    """The page that a request is for. `scope` identifies the list, and `start` is the position before its first item.

    Raises Validation for a token of another list.
    """
    invalid = Validation(reason="The nextToken value is invalid")
    return page_of(call, scope, request.get("nextToken"), start, request.get("maxResults", _LARGEST_PAGE), invalid)


def with_token(members: dict[str, Any], token: str | None) -> dict[str, Any]:
    """The members of a response, with the token of the next page if there is one."""
    return members if token is None else {**members, "nextToken": token}


def repository_named(tx: Transaction, call: ApiCall, name: str) -> Repository:
    """The repository in the account and Region of the caller. Raises ResourceNotFound."""
    try:
        return repositories.get(tx, call.registry, name)
    except RepositoryNotFound as refusal:
        raise ResourceNotFound(reason=str(refusal)) from None
