"""One request to a registry and its answer: silences, tokens, challenges, and redirects, which are followed by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urljoin

import aiohttp
from yarl import URL

from moorage.adapters.remote_registry.challenges import parse_challenges
from moorage.adapters.remote_registry.failures import failure_for, failure_of
from moorage.adapters.remote_registry.origins import Origin, home_of, origin_of
from moorage.adapters.remote_registry.silences import Silences
from moorage.adapters.remote_registry.tokens import Scopes, Tokens
from moorage.adapters.remote_registry.upload_bodies import IDLE_SECONDS, UploadBody
from moorage.domain.remote_registries import (
    AwsCredentials,
    RemoteAddress,
    RemoteInvalid,
    RemoteThrottled,
    RemoteUnavailable,
    UploadContent,
)

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS: Final = 5
_DISCARDED_BYTES: Final = 16 << 10
_LOCATION_LIMIT: Final = 8 << 10


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `url` is absolute. `expected` are the statuses of success."""

    method: str
    url: str
    scopes: Scopes
    expected: frozenset[int] = frozenset({200})
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | UploadContent | None = None

    @property
    def is_repeatable(self) -> bool:
        """Whether it can be sent again: the content of an upload cannot."""
        return self.body is None or isinstance(self.body, bytes)

    @property
    def follows_redirects(self) -> bool:
        return self.method in {"GET", "HEAD"} and 307 not in self.expected


class Exchange:
    """Sends requests to one registry. The session decides which addresses may be connected to."""

    def __init__(
        self, address: RemoteAddress, session: aiohttp.ClientSession, tokens: Tokens, silences: Silences
    ) -> None:
        self.address = address
        self.session = session
        self._tokens = tokens
        self._silences = silences
        self._home = home_of(address)

    def url(self, path: str) -> str:
        """The absolute URL of a path below /v2/."""
        return f"{self.address.url.rstrip('/')}/v2/{path}"

    @asynccontextmanager
    async def open(self, request: Request) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer, which has an expected status. Raises RemoteFailure."""
        answer = await self.send(request)
        try:
            yield answer
        finally:
            answer.release()

    async def send(self, request: Request) -> aiohttp.ClientResponse:
        """Like `open`; the caller closes the answer."""
        self._silences.require_none(self.address)
        try:
            return await self._answer(request)
        except RemoteThrottled as throttled:
            self._silences.begin(self.address, throttled.retry_after)
            raise

    async def _answer(self, request: Request) -> aiohttp.ClientResponse:
        url, at_home = request.url, origin_of(request.url) == self._home
        proof = await self._first_proof(request) if at_home else None
        is_fresh = False
        for _ in range(_MOST_REDIRECTS + 2):
            answer = await self._send(request, url, proof if at_home else None)
            if answer.status in request.expected:
                return answer
            if answer.status in _REDIRECTS and request.follows_redirects:
                url = self.target(answer)
                # What is sent elsewhere and back again was chosen by that other server.
                at_home = at_home and origin_of(url) == self._home
            elif answer.status == 401 and at_home and not is_fresh:
                proof, is_fresh = await self._proof(request, answer), True
            else:
                raise await _closed(answer)
            await _discard(answer)
        raise RemoteInvalid(f"{self._home.host} redirects in a circle")

    async def _first_proof(self, request: Request) -> str | None:
        known = self._tokens.known(self.address, request.scopes)
        if known is None and isinstance(self.address.credentials, AwsCredentials):
            return await self._tokens.obtain(self.session, self.address, request.scopes, {})
        return known

    async def _proof(self, request: Request, answer: aiohttp.ClientResponse) -> str:
        """The header that a challenge asks for."""
        asked = parse_challenges(answer.headers.getall("WWW-Authenticate", []))
        try:
            proof = await self._tokens.obtain(self.session, self.address, request.scopes, asked)
        except BaseException:
            answer.close()
            raise
        if not request.is_repeatable:
            answer.close()
            raise RemoteUnavailable(f"the token for {self._home.host} has expired", status=401)
        return proof

    def target(self, answer: aiohttp.ClientResponse) -> str:
        """The URL in the Location of an answer. Raises RemoteInvalid if it leads away from https."""
        location = answer.headers.get("Location", "")
        try:
            url = urljoin(str(answer.url), location)
            target = origin_of(url)
        except ValueError:
            target = Origin("", "", 0)
        if not location or len(location) > _LOCATION_LIMIT or target.scheme not in {"https", self._home.scheme}:
            answer.close()
            raise RemoteInvalid(f"{self._home.host} names no place that a request may be sent to")
        return url

    async def _send(self, request: Request, url: str, proof: str | None) -> aiohttp.ClientResponse:
        headers = {**request.headers, **({"Authorization": proof} if proof else {})}
        host = origin_of(url).host
        try:
            try:
                return await self._exchange(request, url, headers)
            except (aiohttp.ServerDisconnectedError, ConnectionResetError):
                if not request.is_repeatable:
                    raise
                return await self._exchange(request, url, headers)  # A registry may close an idle connection.
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise failure_for(error, host) from None

    async def _exchange(self, request: Request, url: str, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        body = request.body
        if body is None or isinstance(body, bytes):
            return await self.session.request(
                request.method, URL(url, encoded=True), headers=headers, data=body, allow_redirects=False
            )
        async with asyncio.timeout(IDLE_SECONDS) as deadline:
            return await self.session.request(
                request.method,
                URL(url, encoded=True),
                headers=headers,
                data=UploadBody(body, deadline),
                allow_redirects=False,
            )


async def _closed(answer: aiohttp.ClientResponse) -> Exception:
    try:
        return await failure_of(answer)
    finally:
        answer.close()


async def _discard(answer: aiohttp.ClientResponse) -> None:
    """Read a short body, so that the connection can be used again; close it for any other."""
    if answer.method != "HEAD" and (answer.content_length is None or answer.content_length > _DISCARDED_BYTES):
        answer.close()
        return
    try:
        await answer.read()
    except (aiohttp.ClientError, TimeoutError):
        answer.close()
