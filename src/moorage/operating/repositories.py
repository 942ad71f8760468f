"""The search of repositories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from moorage.api.call import ApiCall, HandlerOf
from moorage.api.repository_view import repository_view
from moorage.core.identity.authorization import AccessRequest
from moorage.core.operating.searches import Search
from moorage.domain.identity.actions import EVERY_REPOSITORY
from moorage.operating.service import requested_page, with_token

if TYPE_CHECKING:
    from moorage.operating import shapes


async def search_repositories(call: ApiCall, request: shapes.SearchRepositoriesRequest) -> Mapping[str, Any]:
    """The repositories that the caller may describe. Who may describe none of the account is denied."""
    sort_by, sort_order = request.get("sortBy", "NAME"), request.get("sortOrder", "ASCENDING")
    search = Search(request.get("prefix", ""), sort_by == "CREATED", sort_order == "DESCENDING")
    page = requested_page(call, request, f"SearchRepositories:{search.prefix}:{sort_by}:{sort_order}", search.start)
    access_request = AccessRequest(
        call.caller, "ecr:DescribeRepositories", call.registry, None, lambda: call.request_context
    )
    found, end = await search.page(call.services.database, access_request, page.after, page.limit)
    if not found and end is None and page.after == search.start and not search.prefix:
        await call.authorize(access_request.about(EVERY_REPOSITORY))
    repositories = [repository_view(call.services, repository) for repository in found]
    return with_token({"repositories": repositories}, None if end is None else page.token(end))


OPERATIONS: Final[Mapping[str, HandlerOf[ApiCall]]] = {"SearchRepositories": search_repositories}
