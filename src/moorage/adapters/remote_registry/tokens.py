"""Tokens: what a registry accepts as Authorization, obtained once and kept until it expires."""

from __future__ import annotations

import asyncio
import base64
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import aiohttp
import msgspec
from yarl import URL

from moorage.adapters.remote_registry import ecr_api
from moorage.adapters.remote_registry.bodies import read_json
from moorage.adapters.remote_registry.challenges import Challenge, scopes_to_request
from moorage.adapters.remote_registry.failures import failure_for, failure_of
from moorage.adapters.remote_registry.origins import may_issue_tokens, origin_of
from moorage.domain.remote_registries import (
    AwsCredentials,
    RemoteAddress,
    RemoteDenied,
    RemoteInvalid,
    RemoteThrottled,
    UserCredentials,
)

_MOST: Final = 512
"""Tokens that are kept, each of at most `_BODY_LIMIT` bytes."""

_BODY_LIMIT: Final = 32 << 10
_SHORTEST, _LONGEST = 60, 3600
"""Seconds. The token specification: a token is valid for 60 seconds if nothing else is said."""

_USED_SHARE: Final = 0.9
"""The share of a token's life in which it is used, so that it does not expire on its way."""

_BASIC_SECONDS: Final = 3600.0

Scopes = tuple[str, ...]
Challenges = Mapping[str, Challenge]
"""By scheme."""


class _TokenAnswer(msgspec.Struct):
    token: str | None = None
    access_token: str | None = None
    expires_in: float | None = None


_EVERY: Final = ("*",)
"""In place of the scopes of Basic, which has none: one login serves all repositories."""


class _Kept(NamedTuple):
    proof: str
    until: float


class Tokens:
    """The tokens of this process, by address and scopes."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._kept: OrderedDict[tuple[RemoteAddress, Scopes], _Kept] = OrderedDict()
        self._obtaining: dict[tuple[RemoteAddress, Scopes], asyncio.Task[str]] = {}
        self._now = now

    def known(self, address: RemoteAddress, scopes: Scopes) -> str | None:
        """The Authorization header for a request; None if no token for its scopes is kept."""
        for key in ((address, scopes), (address, _EVERY)):
            kept = self._kept.get(key)
            if kept is not None and kept.until > self._now():
                return kept.proof
        return None

    async def obtain(
        self, session: aiohttp.ClientSession, address: RemoteAddress, scopes: Scopes, challenges: Challenges
    ) -> str:
        """Obtain the header that a challenge asks for, in place of any that is known.

        Requests that need the same one at the same time share it. Raises RemoteDenied, RemoteThrottled,
        RemoteUnavailable, RemoteInvalid.
        """
        key = address, scopes
        task = self._obtaining.get(key)
        if task is None:
            task = self._obtaining[key] = asyncio.create_task(self._obtained(session, key, challenges))
            task.add_done_callback(lambda done: self._ended(key, done))
        return await asyncio.shield(task)

    async def _obtained(
        self, session: aiohttp.ClientSession, key: tuple[RemoteAddress, Scopes], challenges: Challenges
    ) -> str:
        address, scopes = key
        for known in (key, (address, _EVERY)):
            self._kept.pop(known, None)
        credentials = address.credentials
        if isinstance(credentials, AwsCredentials):
            token, seconds = await ecr_api.authorization_token(session, credentials)
            return self._keep((address, _EVERY), f"Basic {token}", seconds * _USED_SHARE)
        if "bearer" in challenges:
            return self._keep(key, *await _bearer(session, address, scopes, challenges["bearer"]))
        if "basic" in challenges and credentials is not None:
            return self._keep((address, _EVERY), _basic(credentials), _BASIC_SECONDS)
        host = URL(address.url).host
        if "basic" in challenges:
            raise RemoteDenied(f"{host} needs credentials", status=401)
        raise RemoteDenied(f"{host} asks for no kind of login that Moorage supports (Basic, Bearer)", status=401)

    def _keep(self, key: tuple[RemoteAddress, Scopes], proof: str, seconds: float) -> str:
        self._kept[key] = _Kept(proof, self._now() + seconds)
        if len(self._kept) > _MOST:
            self._kept.popitem(last=False)
        return proof

    def _ended(self, key: tuple[RemoteAddress, Scopes], task: asyncio.Task[str]) -> None:
        del self._obtaining[key]
        if not task.cancelled():
            task.exception()  # Everybody who waited for it may be gone.


async def _bearer(
    session: aiohttp.ClientSession, address: RemoteAddress, scopes: Scopes, challenge: Challenge
) -> tuple[str, float]:
    realm = _realm(address, challenge)
    query = [("scope", scope) for scope in scopes_to_request(scopes, challenge)]
    if service := challenge.values.get("service"):
        query.insert(0, ("service", service))
    headers = {"Authorization": _basic(address.credentials)} if isinstance(address.credentials, UserCredentials) else {}
    try:
        answer = await session.get(realm.extend_query(query), headers=headers, allow_redirects=False)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise failure_for(error, realm.host or "") from None
    try:
        if answer.status != 200:
            raise await _refusal(answer)
        issued = await read_json(answer, _TokenAnswer, _BODY_LIMIT)
    finally:
        answer.close()
    token = issued.token or issued.access_token or ""
    if not token or not token.isascii() or not token.isprintable():
        raise RemoteInvalid(f"{realm.host} issued no usable token")
    return f"Bearer {token}", min(max(issued.expires_in or _SHORTEST, _SHORTEST), _LONGEST) * _USED_SHARE


def _realm(address: RemoteAddress, challenge: Challenge) -> URL:
    """The URL that issues tokens. Raises RemoteDenied if it is at a host that must not get the credentials."""
    text = challenge.values.get("realm", "")
    try:
        realm = origin_of(text)
    except ValueError:
        raise RemoteInvalid("the registry names no URL that issues its tokens") from None
    if not may_issue_tokens(address, realm):
        raise RemoteDenied(f"{realm.host} must not get the credentials of {URL(address.url).host}", status=401)
    return URL(text)


async def _refusal(answer: aiohttp.ClientResponse) -> Exception:
    failure = await failure_of(answer)
    if isinstance(failure, RemoteThrottled) or answer.status >= 500:
        return failure
    return RemoteDenied(str(failure), status=answer.status, code=failure.code)


def _basic(credentials: UserCredentials) -> str:
    return "Basic " + base64.b64encode(f"{credentials.username}:{credentials.secret}".encode()).decode()
