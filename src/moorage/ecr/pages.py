"""Pagination of operations: `maxResults` and `nextToken` of requests, and `nextToken` of responses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypedDict

from moorage.core.pages import Page, Position, Row
from moorage.domain.errors import InvalidParameter
from moorage.ecr.call import Call


class NextToken(TypedDict, total=False):
    """The response member with the token of the next page. The last page has none."""

    nextToken: str


def page_of(
    call: Call, request: Mapping[str, Any], scope: str, start: Position, default_limit: int = 100
) -> Page[Position]:
    """The requested page. `start` is the position before the first row, and `scope` identifies the list.

    Raises InvalidParameter for a token of another list.
    """
    scope = f"{scope}:{call.registry.account}:{call.registry.region}"
    limit = request.get("maxResults") or default_limit
    return call.services.pages.page(scope, request.get("nextToken") or None, start, limit)


def cut(
    page: Page[Position], rows: list[Row], position: Callable[[Row], Position], fitting: int | None = None
) -> tuple[list[Row], NextToken]:
    """The rows of a page, and the member with the token of the next page. See `Page.cut`."""
    on_page, token = page.cut(rows, position, fitting)
    return on_page, {} if token is None else {"nextToken": token}


def refuse_paging_with(request: Mapping[str, Any], member: str, also: tuple[str, ...] = ()) -> None:
    """Check that a request with this member does not ask for a page. Raises InvalidParameter."""
    for other in ("nextToken", "maxResults", *also):
        if request.get(other) is not None:
            raise InvalidParameter(parameter=other, constraint=f"{other} cannot be used when {member} is specified")
