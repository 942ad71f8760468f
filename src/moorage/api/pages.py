"""Pages of lists for services whose members for pages have other names than ECR's."""

from __future__ import annotations

from typing import Final

from moorage.api.call import ApiCall
from moorage.core.pages import Page, Position
from moorage.domain.errors import InvalidParameter, Refusal

DEFAULT_PAGE: Final = 100
"""Items of a list on one page, if the request does not say how many."""


def page_of(
    call: ApiCall, scope: str, token: str | None, start: Position, limit: int, invalid: Refusal
) -> Page[Position]:
    """The page of a token, or the first one, of the list that `scope` identifies.

    Raises `invalid` for a token of another list.
    """
    scope = f"{scope}:{call.registry.account}:{call.registry.region}"
    try:
        return call.services.pages.page(scope, token or None, start, limit)
    except InvalidParameter:
        raise invalid from None
