"""Sign-in with OpenID Connect: the authorization code flow with PKCE (OpenID Connect Core 1.0, section 3.1; RFC 7636).

    browser ── begin() ──> the issuer, which asks who it is ── the browser comes back with a code ── finish()

What `finish` needs is in a cookie that only this server can read, so any node can finish what another began. The
browser that finishes must be the one that began: otherwise somebody could sign others in as themselves.

Claims choose a role by the rules of the settings, and the role's trust policy must accept them, too, as it must for
AssumeRoleWithWebIdentity.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

import msgspec

from moorage.core.clock import Clock
from moorage.core.console.sessions import LONGEST, Browser, ConsoleSessions, SignedIn
from moorage.core.identity import assume_role
from moorage.core.identity.assume_role import AssumedSession, AssumeRoleRequest
from moorage.core.identity.sessions import Sessions
from moorage.core.vault import Forged, Vault
from moorage.domain.errors import AccessDenied, InvalidParameter, Refusal
from moorage.domain.identity.policies.request import RequestContext
from moorage.domain.identity.session_errors import ExpiredIdentityToken, InvalidIdentityToken, WebIdentityDenied
from moorage.domain.identity.sign_in import IssuedTokens, IssuerClient, IssuerFailed, IssuerMetadata, SignInProvider
from moorage.domain.units import SECOND
from moorage.first_use import at_first_use
from moorage.metadata.database import Database

if TYPE_CHECKING:
    from moorage.core.identity import oidc_tokens
    from moorage.core.identity.oidc_tokens import Claims
else:
    oidc_tokens = at_first_use("moorage.core.identity.oidc_tokens")

BEGUN_SECONDS: Final = 600
"""How long somebody may take at the issuer."""

_USE: Final = "console-sign-in"
_NOT_IN_NAMES: Final = re.compile(r"[^\w+=,.@-]", re.ASCII)
_NAME_LENGTHS: Final = range(2, 65)


class ProviderSignInFailed(Refusal):
    """A sign-in with an issuer did not succeed. `failure` is a word for the pages, the text is for the audit log."""

    template = "{reason}"

    def __init__(self, failure: str, reason: str) -> None:
        super().__init__(reason=reason)
        self.failure = failure


class _Begun(msgspec.Struct, array_like=True, frozen=True):
    """What the cookie of a sign-in has."""

    provider: str
    state: str
    nonce: str
    verifier: str
    expires: int
    in_window: bool


@dataclass(frozen=True, slots=True)
class Begun:
    """Where the browser goes, and the cookie that it comes back with."""

    location: str
    cookie: str


class ProviderSignIn:
    """Signs people in with the issuers of the settings."""

    def __init__(
        self,
        providers: Sequence[SignInProvider],
        issuers: IssuerClient,
        database: Database,
        vault: Vault,
        sessions: ConsoleSessions,
        now: Clock,
    ) -> None:
        self.providers = providers
        self._issuers = issuers
        self._database = database
        self._vault = vault
        self._sessions = sessions
        self._now = now

    async def begin(self, provider_id: str, redirect_uri: str, *, in_window: bool) -> Begun | None:
        """Begin a sign-in; None if there is no such provider. Raises ProviderSignInFailed."""
        provider = self._provider(provider_id)
        if provider is None:
            return None
        metadata = await self._metadata(provider)
        begun = _Begun(
            provider.id,
            secrets.token_urlsafe(24),
            secrets.token_urlsafe(24),
            secrets.token_urlsafe(48),
            self._now() + BEGUN_SECONDS * SECOND,
            in_window,
        )
        challenge = base64.urlsafe_b64encode(hashlib.sha256(begun.verifier.encode()).digest()).rstrip(b"=").decode()
        parameters = {
            "response_type": "code",
            "client_id": provider.client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(provider.scopes),
            "state": begun.state,
            "nonce": begun.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        joint = "&" if "?" in metadata.authorization_endpoint else "?"
        location = f"{metadata.authorization_endpoint}{joint}{urlencode(parameters)}"
        return Begun(location, self._vault.seal_token(msgspec.msgpack.encode(begun), _USE))

    def is_in_window(self, cookie: str | None) -> bool:
        """Whether the sign-in of a cookie began in a window of its own."""
        begun = self._opened(cookie)
        return begun is not None and begun.in_window

    async def finish(
        self,
        provider_id: str,
        cookie: str | None,
        answer: Mapping[str, str],
        redirect_uri: str,
        browser: Browser,
        request_context: RequestContext,
    ) -> SignedIn:
        """Sign in with what the issuer answered, the parameters of the callback. Raises ProviderSignInFailed."""
        provider = self._provider(provider_id)
        begun = self._opened(cookie)
        if provider is None or begun is None or begun.provider != provider.id or begun.expires <= self._now():
            raise ProviderSignInFailed("expired", "The sign-in was not begun in this browser, or took too long")
        if not hmac.compare_digest(answer.get("state", "").encode(), begun.state.encode()):
            raise ProviderSignInFailed("invalid", "The answer of the issuer has another state")
        if "code" not in answer:
            raise ProviderSignInFailed("denied", f"The issuer refused: {answer.get('error', 'no code')}")
        metadata = await self._metadata(provider)
        if answer.get("iss", metadata.issuer) != metadata.issuer:  # RFC 9207
            raise ProviderSignInFailed("invalid", "The answer comes from another issuer")
        grant = {"code": answer["code"], "redirect_uri": redirect_uri, "code_verifier": begun.verifier}
        claims = await self._claims(provider, metadata, grant, begun.nonce)
        assumed = await self._assume(provider, claims, request_context)
        duration = min(assumed.role.max_session_seconds * SECOND, LONGEST)
        temporary = Sessions(self._vault, self._now).issue("", duration, assumed.session)
        return await self._sessions.begin(temporary, browser)

    async def _metadata(self, provider: SignInProvider) -> IssuerMetadata:
        try:
            return await self._issuers.metadata(provider.issuer)
        except IssuerFailed as error:
            raise ProviderSignInFailed("unavailable", f"The issuer {provider.issuer} cannot be used: {error}") from None

    async def _claims(
        self, provider: SignInProvider, metadata: IssuerMetadata, grant: Mapping[str, str], nonce: str
    ) -> Claims:
        try:
            tokens = await self._issuers.redeem(metadata, provider, grant)
            claims = oidc_tokens.verify(tokens.id_token, await self._issuers.key_set(metadata), self._now())
        except IssuerFailed as error:
            raise ProviderSignInFailed("unavailable", f"The issuer {provider.issuer} cannot be used: {error}") from None
        except (InvalidIdentityToken, ExpiredIdentityToken, oidc_tokens.BadKeySet) as error:
            raise ProviderSignInFailed("invalid", str(error)) from None
        if claims.issuer != metadata.issuer or provider.client_id not in claims.audiences:
            raise ProviderSignInFailed("invalid", "The ID token is for another client or from another issuer")
        if len(claims.audiences) > 1 and claims.party != provider.client_id:
            raise ProviderSignInFailed("invalid", "The ID token has several audiences and is not for this client")
        if claims.values.get("nonce", ("",)) != (nonce,):
            raise ProviderSignInFailed("invalid", "The ID token belongs to another sign-in")
        return await self._with_user_info(metadata, tokens, claims)

    async def _with_user_info(self, metadata: IssuerMetadata, tokens: IssuedTokens, claims: Claims) -> Claims:
        """The claims with those that many issuers have at another endpoint only. Those of the ID token come first."""
        if metadata.userinfo_endpoint is None or tokens.access_token is None:
            return claims
        try:
            more = await self._issuers.user_info(metadata.userinfo_endpoint, tokens.access_token)
        except IssuerFailed as error:
            raise ProviderSignInFailed("unavailable", f"The issuer's userinfo cannot be used: {error}") from None
        if more.get("sub") != claims.subject:  # OpenID Connect Core 1.0, section 5.3.2
            raise ProviderSignInFailed("invalid", "The issuer's userinfo is about somebody else")
        return replace(claims, values={**oidc_tokens.claim_texts(more), **claims.values})

    async def _assume(
        self, provider: SignInProvider, claims: Claims, request_context: RequestContext
    ) -> AssumedSession:
        role = provider.role_for(claims.values)
        if role is None:
            raise ProviderSignInFailed("no-role", f"No rule gives {claims.subject} a role")
        request = AssumeRoleRequest(role, _session_name(provider, claims))
        try:
            return await self._database.read(
                lambda tx: assume_role.assume_with_claims(tx, claims, request, request_context)
            )
        except (WebIdentityDenied, InvalidParameter, AccessDenied) as error:
            raise ProviderSignInFailed("no-role", f"{claims.subject} may not assume {role}: {error}") from None

    def _provider(self, provider_id: str) -> SignInProvider | None:
        return next((each for each in self.providers if each.id == provider_id), None)

    def _opened(self, cookie: str | None) -> _Begun | None:
        try:
            return msgspec.msgpack.decode(self._vault.open_token(cookie or "", _USE), type=_Begun)
        except (Forged, msgspec.MsgspecError):
            return None


def _session_name(provider: SignInProvider, claims: Claims) -> str:
    """The claim that names people, with the characters and the length that STS allows for session names."""
    (name, *_) = claims.values.get(provider.name_claim) or (claims.subject,)
    name = _NOT_IN_NAMES.sub("-", name)[: _NAME_LENGTHS.stop - 1]
    return name if len(name) in _NAME_LENGTHS else f"{name}--"
