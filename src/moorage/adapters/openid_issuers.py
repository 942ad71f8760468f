"""Issuers of OpenID Connect over HTTP: discovery, keys and the token endpoint.

The operator names the issuers, so they may be in private networks. What an issuer's metadata names has to be https as
the issuer is, unless that is on this machine. Redirects are not followed, and answers are bounded in bytes and time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec

from moorage.domain import strict_json
from moorage.domain.hosts import names_loopback
from moorage.domain.identity.sign_in import IssuedTokens, IssuerFailed, IssuerMetadata, SignInProvider
from moorage.domain.strict_json import BadJson
from moorage.first_use import at_first_use

if TYPE_CHECKING:
    import aiohttp
else:
    aiohttp = at_first_use("aiohttp")

_ISSUER_ANSWER_LIMIT: Final = 512 << 10
_SECONDS: Final = 10.0
_WELL_KNOWN: Final = "/.well-known/openid-configuration"


class HttpIssuers:
    """See `IssuerClient`. Nothing is kept: sign-ins are rare, and keys are those of now."""

    async def metadata(self, issuer: str) -> IssuerMetadata:
        """See `IssuerClient`."""
        found = await self._json("GET", f"{issuer.rstrip('/')}{_WELL_KNOWN}")
        try:
            metadata = msgspec.convert(found, type=IssuerMetadata)
        except msgspec.ValidationError as error:
            raise IssuerFailed(f"its metadata cannot be used: {error}") from None
        if metadata.issuer != issuer:  # OpenID Connect Discovery 1.0, section 4.3
            raise IssuerFailed(f"its metadata is that of {metadata.issuer[:200]}")
        return metadata

    async def key_set(self, metadata: IssuerMetadata) -> str:
        """See `IssuerClient`."""
        return (await self._bytes("GET", metadata.jwks_uri)).decode(errors="replace")

    async def redeem(
        self, metadata: IssuerMetadata, provider: SignInProvider, grant: Mapping[str, str]
    ) -> IssuedTokens:
        """See `IssuerClient`."""
        form = {"grant_type": "authorization_code", "client_id": provider.client_id, **grant}
        login = aiohttp.BasicAuth(provider.client_id, provider.client_secret) if provider.client_secret else None
        found = await self._json("POST", metadata.token_endpoint, data=form, auth=login)
        token, access = found.get("id_token"), found.get("access_token")
        if not isinstance(token, str):
            raise IssuerFailed("its token endpoint returned no ID token")
        return IssuedTokens(token, access if isinstance(access, str) else None)

    async def user_info(self, endpoint: str, access_token: str) -> dict[str, Any]:
        """See `IssuerClient`."""
        return await self._json("GET", endpoint, headers={"Authorization": f"Bearer {access_token}"})

    async def _json(self, method: str, url: str, **more: Any) -> dict[str, Any]:
        try:
            return strict_json.read_as(dict[str, Any], await self._bytes(method, url, **more))
        except BadJson as error:
            raise IssuerFailed(f"its answer is not JSON: {error}") from None

    async def _bytes(self, method: str, url: str, **more: Any) -> bytes:
        _require_secure(url)
        timeout = aiohttp.ClientTimeout(total=_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, headers={"Accept": "application/json"}) as session,
                session.request(method, url, allow_redirects=False, **more) as response,
            ):
                content = await response.content.read(_ISSUER_ANSWER_LIMIT)
                while len(content) < _ISSUER_ANSWER_LIMIT and not response.content.at_eof():
                    content += await response.content.read(_ISSUER_ANSWER_LIMIT - len(content))
                if response.status != 200:
                    raise IssuerFailed(f"it answered {response.status}")
                return content
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            raise IssuerFailed(str(error) or "it did not answer in time") from None


def _require_secure(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and names_loopback(parts.netloc)):
        return
    raise IssuerFailed(f"the address {url[:200]} is not https")
