"""Sign-in of people with OpenID Connect: who vouches for them, and which role their claims give them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


class IssuerFailed(Exception):
    """The issuer does not answer, or not as OpenID Connect says. The text is for the log."""


@dataclass(frozen=True, slots=True)
class RoleRule:
    """A role for everybody whose `claim` has the `value`; without a claim, for everybody."""

    role: str
    claim: str = ""
    value: str = ""

    def applies(self, claims: Mapping[str, Sequence[str]]) -> bool:
        return not self.claim or self.value in claims.get(self.claim, ())


@dataclass(frozen=True, slots=True)
class SignInProvider:
    """An issuer that people sign in with. `name_claim` is the claim that names their session.

    `client_secret` is empty for a public client, which has PKCE alone (RFC 7636).
    """

    id: str
    label: str
    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    scopes: tuple[str, ...]
    name_claim: str
    roles: tuple[RoleRule, ...]

    def role_for(self, claims: Mapping[str, Sequence[str]]) -> str | None:
        """The ARN of the first role whose rule applies."""
        return next((rule.role for rule in self.roles if rule.applies(claims)), None)


@dataclass(frozen=True, slots=True)
class IssuerMetadata:
    """Where an issuer's endpoints are (OpenID Connect Discovery 1.0, section 3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None


@dataclass(frozen=True, slots=True)
class IssuedTokens:
    """What the token endpoint returned; `access_token` is for the userinfo endpoint."""

    id_token: str = field(repr=False)
    access_token: str | None = field(repr=False)


class IssuerClient(Protocol):
    """Requests to issuers. Each raises IssuerFailed."""

    async def metadata(self, issuer: str) -> IssuerMetadata: ...

    async def key_set(self, metadata: IssuerMetadata) -> str:
        """The text of the issuer's JWK set, as it is now."""

    async def redeem(
        self, metadata: IssuerMetadata, provider: SignInProvider, grant: Mapping[str, str]
    ) -> IssuedTokens:
        """The tokens for an authorization code (OpenID Connect Core 1.0, section 3.1.3)."""

    async def user_info(self, endpoint: str, access_token: str) -> dict[str, Any]:
        """The claims that are not in the ID token (section 5.3)."""
