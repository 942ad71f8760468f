"""Reading from a registry: manifests, blobs, referrers and tags (distribution-spec, "Pull" and "Content Discovery")."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
import msgspec

from moorage.adapters.remote_registry.bodies import BlobReading, read_json, read_short
from moorage.adapters.remote_registry.challenges import scope
from moorage.adapters.remote_registry.exchange import Exchange, Request
from moorage.adapters.remote_registry.origins import origin_of
from moorage.domain import strict_json
from moorage.domain.errors import DigestInvalid
from moorage.domain.names import Digest
from moorage.domain.registry.manifests import IMAGE_TYPES, INDEX_TYPES, MANIFEST_LIMIT, OCI_INDEX, Descriptor
from moorage.domain.registry.referrers import referrers_tag
from moorage.domain.remote_registries import (
    RemoteBlob,
    RemoteInvalid,
    RemoteManifest,
    RemoteMissing,
    RemoteRefused,
)
from moorage.domain.strict_json import BadJson

_MANIFEST_TYPES: Final = frozenset(IMAGE_TYPES | INDEX_TYPES)
_ACCEPT: Final[Mapping[str, str]] = {"Accept": ", ".join(sorted(_MANIFEST_TYPES))}
_PAGE_LIMIT: Final = 4 << 20
_MOST_REFERRER_PAGES: Final = 20
_MOST_REFERRERS: Final = 10_000
_MOST_TAG_PAGES: Final = 2_000
_TAGS_IN_PAGE: Final = 1_000


class _Index(msgspec.Struct):
    manifests: list[Descriptor] | None = None


class _TagList(msgspec.Struct):
    tags: list[str] | None = None


class _Catalog(msgspec.Struct):
    repositories: list[str] | None = None


class _Kind(msgspec.Struct, rename="camel"):
    media_type: str | None = None


class Reading:
    """The part of `RemoteRegistry` that reads."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def check(self) -> None:
        """See `RemoteRegistry.check`."""
        async with self._exchange.open(Request("GET", self._exchange.url(""), ())):
            pass

    async def manifest(self, repository: str, reference: str) -> RemoteManifest:
        """See `RemoteRegistry.manifest`."""
        async with self._exchange.open(self._request("GET", repository, f"manifests/{reference}", _ACCEPT)) as answer:
            body = await read_short(answer, MANIFEST_LIMIT)
            named = answer.headers.get("Docker-Content-Digest")
            host = answer.url.host
            media_type = _media_type(answer.headers.get("Content-Type", ""), body, host)
        digest = _digest_of(body, reference if ":" in reference else "sha256:")
        if ":" in reference and reference != digest:
            raise RemoteInvalid(f"{host} sent a manifest that is not {reference}")
        if named is not None and _digest_of(body, named) != named:
            raise RemoteInvalid(f"{host} sent a manifest that is not {named[:100]}")
        return RemoteManifest(body, media_type, digest)

    async def head(self, repository: str, reference: str) -> str | None:
        """See `RemoteRegistry.head`."""
        async with self._exchange.open(self._request("HEAD", repository, f"manifests/{reference}", _ACCEPT)) as answer:
            named = answer.headers.get("Docker-Content-Digest")
        try:
            return None if named is None else Digest.parse(named)
        except DigestInvalid:
            return None

    @asynccontextmanager
    async def blob(
        self, repository: str, digest: str, size: int | None = None, *, verified: bool = True
    ) -> AsyncIterator[RemoteBlob]:
        """See `RemoteRegistry.blob`."""

        async def again(start: int) -> aiohttp.ClientResponse:
            headers = {"Range": f"bytes={start}-"} if start else {}
            request = self._request("GET", repository, f"blobs/{digest}", headers, frozenset({200, 206}))
            return await self._exchange.send(request)

        reading = BlobReading(await again(0), again, digest, size)
        try:
            yield reading.blob(verified=verified)
        finally:
            reading.close()

    async def referrers(self, repository: str, digest: str) -> list[Descriptor]:
        """See `RemoteRegistry.referrers`."""
        try:
            return await self._listed_referrers(repository, digest)
        except (RemoteMissing, RemoteRefused):  # No referrers API.
            pass
        try:
            fallback = await self.manifest(repository, referrers_tag(digest))
        except RemoteMissing:
            return []
        try:
            return (strict_json.read_as(_Index, fallback.body).manifests or [])[:_MOST_REFERRERS]
        except BadJson as error:
            raise RemoteInvalid(f"the list of referrers of {digest} is not an index: {error}") from None

    async def tags(self, repository: str) -> AsyncIterator[list[str]]:
        """See `RemoteRegistry.tags`."""
        url: str | None = self._url(repository, f"tags/list?n={_TAGS_IN_PAGE}")
        for _ in range(_MOST_TAG_PAGES):
            if url is None:
                return
            async with self._exchange.open(Request("GET", url, self._scopes(repository))) as answer:
                page = await read_json(answer, _TagList, _PAGE_LIMIT)
                url = _next_page(answer)
            yield page.tags or []
        raise RemoteInvalid(f"the list of tags of {repository} has no end")

    async def catalog(self) -> AsyncIterator[list[str]]:
        """See `RemoteRegistry.catalog`."""
        url: str | None = self._exchange.url(f"_catalog?n={_TAGS_IN_PAGE}")
        for _ in range(_MOST_TAG_PAGES):
            if url is None:
                return
            async with self._exchange.open(Request("GET", url, ("registry:catalog:*",))) as answer:
                page = await read_json(answer, _Catalog, _PAGE_LIMIT)
                url = _next_page(answer)
            yield page.repositories or []
        raise RemoteInvalid("the list of repositories has no end")

    async def _listed_referrers(self, repository: str, digest: str) -> list[Descriptor]:
        found: list[Descriptor] = []
        url: str | None = self._url(repository, f"referrers/{digest}")
        for _ in range(_MOST_REFERRER_PAGES):
            request = Request("GET", url or "", self._scopes(repository), headers={"Accept": OCI_INDEX})
            async with self._exchange.open(request) as answer:
                page = await read_json(answer, _Index, _PAGE_LIMIT)
                url = _next_page(answer)
            found += page.manifests or []
            if url is None or len(found) > _MOST_REFERRERS:
                break
        if url is not None:
            raise RemoteInvalid(f"the list of referrers of {digest} has no end")
        return found

    def _request(
        self,
        method: str,
        repository: str,
        path: str,
        headers: Mapping[str, str],
        expected: frozenset[int] = frozenset({200}),
    ) -> Request:
        return Request(method, self._url(repository, path), self._scopes(repository), expected, headers)

    def _url(self, repository: str, path: str) -> str:
        return self._exchange.url(f"{repository}/{path}")

    def _scopes(self, repository: str) -> tuple[str, ...]:
        return (scope(repository, "pull"),)


def _media_type(content_type: str, body: bytes, host: str | None) -> str:
    """The media type of a manifest: the header, or where that is none of a manifest, the member `mediaType`."""
    claimed = content_type.partition(";")[0].strip().lower()
    if claimed in _MANIFEST_TYPES:
        return claimed
    try:
        named = None if claimed == "text/html" else strict_json.read_as(_Kind, body).media_type
    except BadJson:
        named = None
    if named not in _MANIFEST_TYPES:
        raise RemoteInvalid(f"{host} sent {claimed[:100] or 'something'!r} instead of a manifest")
    return named


def _digest_of(body: bytes, like: str) -> str:
    """The digest with the algorithm of another one; empty for an unknown algorithm."""
    algorithm = like.partition(":")[0]
    return f"{algorithm}:{hashlib.new(algorithm, body).hexdigest()}" if algorithm in {"sha256", "sha512"} else ""


def _next_page(answer: aiohttp.ClientResponse) -> str | None:
    """The URL of the next page (RFC 8288), which is at the same origin. Raises RemoteInvalid."""
    try:
        link = answer.links.getone("next", None)
        if link is None:
            return None
        url = str(link["url"])
        same = origin_of(url) == origin_of(str(answer.url))
    except ValueError:
        same = False
    if not same:
        raise RemoteInvalid(f"{answer.url.host} names a next page at another place")
    return url
