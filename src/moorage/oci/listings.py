"""Paginated lists: tags of a repository, referrers of a manifest, repositories of a registry."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote

import msgspec

from moorage.core.pages import cut
from moorage.core.pull_through.referrers import WantedReferrers
from moorage.core.registry import repositories
from moorage.core.registry.referrers import ReferrersPage, index_of, page_of_referrers
from moorage.core.services import Services
from moorage.domain.errors import InvalidParameter
from moorage.domain.identity.actions import DOCKER_ACTIONS, EVERY_REPOSITORY
from moorage.domain.names import Digest
from moorage.domain.pull_through.upstream_errors import UpstreamRefusal
from moorage.domain.registry.manifests import OCI_INDEX
from moorage.http.messages import Response
from moorage.metadata.database import Transaction
from moorage.metadata.registry import images
from moorage.metadata.registry.pulls import ReferrerFilter
from moorage.oci.access import AccessControl, RegistryCall, RegistryRequest

PAGE_LIMIT: Final = 1000
"""The default and the maximum of `n`, the number of entries of a page (the same maximum as ECR's)."""

(_TAGS,) = DOCKER_ACTIONS["tags", "GET"]
(_REFERRERS,) = DOCKER_ACTIONS["referrers", "GET"]
(_CATALOG,) = DOCKER_ACTIONS["catalog", "GET"]
_CATALOG_PATH: Final = "/v2/_catalog"


class Lists:
    """Handlers of lists. Each page has a `Link` header with the next page, if there is one."""

    def __init__(self, services: Services, access: AccessControl) -> None:
        self._database = services.database
        self._pages = services.pages
        self._cache = services.pull_through
        self._access_control = access

    async def tags(self, request: RegistryRequest) -> Response:
        """Tags, in the order of their bytes (distribution-spec, "Listing Tags")."""
        call = await self._access_control.authorized(request, _TAGS)
        name = call.repository
        parameters = call.parameters()
        limit, last = _limit(parameters), parameters.get("last", "")

        def read(tx: Transaction) -> list[str]:
            repository = repositories.get(tx, call.registry, name)
            return images.page_of_tags(tx, repository.id, last, limit + 1)

        tags, last_tag = cut(await self._database.read(read), limit)
        return _page(f"/v2/{name}/tags/list", {"name": name, "tags": tags}, last_tag, limit)

    async def catalog(self, request: RegistryRequest) -> Response:
        """Repositories of the registry, in the order of their names (docker registry API, "Listing Repositories").

        Repositories that the caller may not list are omitted. A whole list without any is an error if the caller is
        denied; a page without any is not, because a later page may have some. The link names the last repository of
        the page, or has a token if the caller may not know that name.
        """
        call = await self._access_control.authenticate(replace(request, name=EVERY_REPOSITORY), _CATALOG)
        parameters = call.parameters()
        scope = f"catalog:{call.registry.account}:{call.registry.region}"
        page = self._pages.page(scope, parameters.get("next"), (parameters.get("last", ""),), _limit(parameters))
        visible = await repositories.list_visible(
            self._database, call.access_request(_CATALOG), *page.after, page.limit
        )
        if not visible.repositories and visible.end is None and page.after == ("",):
            await self._access_control.authorize(call, _CATALOG)
        content = {"repositories": [str(repository.name) for repository in visible.repositories]}
        if visible.end is None or visible.ends_visibly:
            return _page(_CATALOG_PATH, content, visible.end, page.limit)
        response = _page(_CATALOG_PATH, content, None, page.limit)
        response.headers.append(_next(_CATALOG_PATH, f"n={page.limit}&next={page.token((visible.end,))}"))
        return response

    async def referrers(self, request: RegistryRequest) -> Response:
        """An index of the referrers of a subject, which need not exist (distribution-spec, "Listing Referrers")."""
        call = await self._access_control.authorized(request, _REFERRERS)
        name, subject = call.repository, Digest.parse(call.reference)
        parameters = call.parameters()
        kind = parameters.get("artifactType", "").replace(
            " ", "+"
        )  # Not escaped by all clients: media types have no space.
        referrer_filter = ReferrerFilter((kind,) if kind else ())
        scope = f"referrers:{call.registry.repository_arn(name)}:{subject}:{kind}"
        page = self._pages.page(scope, parameters.get("next"), (0,), PAGE_LIMIT)

        def read(tx: Transaction) -> ReferrersPage:
            repository = repositories.get(tx, call.registry, name)
            return page_of_referrers(tx, repository.id, subject, referrer_filter, page)

        wanted = WantedReferrers(subject, referrer_filter.types, *page.after)
        found = await self._with_upstream(call, await self._database.read(read), wanted)
        body, listed = index_of(found)
        response = _document(body, OCI_INDEX)
        if kind:
            response.headers.append((b"oci-filters-applied", b"artifactType"))
        if found.more or listed < len(found.referrers):
            token = page.token((found.referrers[listed - 1].id,))
            query = f"artifactType={quote(kind, safe='')}&next={token}" if kind else f"next={token}"
            response.headers.append(_next(f"/v2/{name}/referrers/{subject}", query))
        return response

    async def _with_upstream(self, call: RegistryCall, found: ReferrersPage, wanted: WantedReferrers) -> ReferrersPage:
        """The page with the referrers of the upstream registry. If it fails, the local ones are better than nothing."""
        try:
            return await self._cache.with_upstream_referrers(call.puller(), found, wanted)
        except UpstreamRefusal:
            return found


def _limit(parameters: dict[str, str]) -> int:
    """The parameter `n`, at most PAGE_LIMIT. Raises InvalidParameter if it is not a non-negative number."""
    text = parameters.get("n")
    if text is None:
        return PAGE_LIMIT
    if not (text.isascii() and text.isdigit()):
        raise InvalidParameter(parameter="n", constraint="Must be a non-negative number")
    return min(int(text), PAGE_LIMIT) if len(text) <= 18 else PAGE_LIMIT


def _page(path: str, content: dict[str, Any], last: str | None, limit: int) -> Response:
    """A page, with a link to the page after the entry `last`. `n=0` has no next page (distribution-spec)."""
    response = _document(msgspec.json.encode(content), "application/json")
    if last is not None:
        response.headers.append(_next(path, f"last={quote(last, safe='')}&n={limit}"))
    return response


def _next(path: str, query: str) -> tuple[bytes, bytes]:
    return (b"link", f'<{path}?{query}>; rel="next"'.encode())


def _document(body: bytes, media_type: str) -> Response:
    headers = [(b"content-type", media_type.encode()), (b"content-length", b"%d" % len(body))]
    return Response(200, headers, body)
