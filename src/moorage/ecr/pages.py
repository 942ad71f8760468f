"""Paged operations: `maxResults` and `nextToken` of a request, and the `nextToken` of its response."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypedDict

from moorage.core.pages import Page, Position, Row
from moorage.domain.errors import InvalidParameter
from moorage.ecr.call import Call


class NextToken(TypedDict, total=False):
    """The member that leads to the next page. The last page has none."""

    nextToken: str


def page_of(
    call: Call, request: Mapping[str, Any], scope: str, start: Position, default_limit: int = 100
) -> Page[Position]:
    """The page that a request asks for. `start` is the position before the first row, `scope` names the list.

    Raises InvalidParameter for a token of another list.
    """
    scope = f"{scope}:{call.registry.account}:{call.registry.region}"
    limit = request.get("maxResults") or default_limit
    return call.services.pages.page(scope, request.get("nextToken") or None, start, limit)


def cut(page: Page[Position], rows: list[Row], position: Callable[[Row], Position]) -> tuple[list[Row], NextToken]:
    """The rows that a page shows, and the member that leads to the next one."""
    shown, token = page.cut(rows, position)
    return shown, {} if token is None else {"nextToken": token}


def refuse_paging_with(request: Mapping[str, Any], listed: str, also: tuple[str, ...] = ()) -> None:
    """Lists of named things have no pages. Raises InvalidParameter."""
    for member in ("nextToken", "maxResults", *also):
        if request.get(member) is not None:
            raise InvalidParameter(parameter=member, constraint=f"{member} cannot be used when {listed} is specified")
