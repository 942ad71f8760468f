"""Sign-in with an issuer of OpenID Connect: /console/sign-in/PROVIDER, and where the issuer sends the browser back.

These are the only addresses of the console that other sites may lead to. A failure becomes a word in the address of the
sign-in page, which has a text for it; the reason is in the audit log.
"""

from __future__ import annotations

from typing import Final

from moorage.api.addresses import addresses_for
from moorage.api.authentication import set_caller
from moorage.console import answers, cookies
from moorage.core.console.provider_sign_in import BEGUN_SECONDS, ProviderSignIn, ProviderSignInFailed
from moorage.core.console.sessions import Browser, SignedIn, SignInFailed
from moorage.core.events.audit import SignIn
from moorage.core.services import Services
from moorage.http.messages import CallDetails, Request, Response
from moorage.http.request_context import request_context_of

PREFIX: Final = "/console/sign-in/"
_CALLBACK: Final = "/callback"
_COOKIE: Final = "moorage-sign-in"
_CLOSED: Final = "<!doctype html><title>Moorage</title><p>You are signed in. You can close this window.</p>\n"


class SignInPages:
    """Answers requests for the two addresses of each provider."""

    def __init__(self, services: Services, sign_in: ProviderSignIn, region: str) -> None:
        self._services = services
        self._sign_in = sign_in
        self._region = region

    async def answer(self, request: Request, details: CallDetails) -> Response:
        if request.method != "GET":
            return answers.error(405, "MethodNotAllowed", "Open this address in a browser")
        provider, _, rest = request.path.removeprefix(PREFIX).partition("/")
        try:
            if not rest:
                return await self._begin(request, provider)
            if f"/{rest}" == _CALLBACK:
                return await self._finish(request, details, provider)
        except ProviderSignInFailed as refusal:
            self._services.audit.record_sign_in(request, SignIn(None, str(refusal), is_by_link=False))
            return answers.redirect(f"/console/?failed={refusal.failure}", _removal(request))
        return answers.error(404, "NotFound", "There is no such page")

    async def _begin(self, request: Request, provider: str) -> Response:
        try:
            in_window = "popup" in request.parameters()
        except ValueError:  # Too many parameters.
            return answers.error(400, "InvalidQuery", "The address has too many parameters")
        begun = await self._sign_in.begin(provider, self._redirect_uri(request, provider), in_window=in_window)
        if begun is None:
            return answers.error(404, "NotFound", "There is no such provider")
        # Lax: the issuer sends the browser back with a navigation, which has no Strict cookies.
        cookie = cookies.setting(request, _COOKIE, begun.cookie, same_site="Lax", seconds=BEGUN_SECONDS)
        return answers.redirect(begun.location, cookie)

    async def _finish(self, request: Request, details: CallDetails, provider: str) -> Response:
        details.operation = "console:ConsoleLogin"
        self._services.limits.require_reserve()
        cookie = cookies.read(request, _COOKIE)
        signed_in = await self._signed_in(request, provider, cookie)
        set_caller(details, signed_in.credentials, self._region)
        self._services.audit.record_sign_in(request, SignIn(details.caller, None, is_by_link=False))
        given = cookies.setting(request, cookies.SESSION, signed_in.cookie)
        if self._sign_in.is_in_window(cookie):
            return answers.page(_CLOSED, given, _removal(request))
        return answers.redirect("/console/", given, _removal(request))

    async def _signed_in(self, request: Request, provider: str, cookie: str | None) -> SignedIn:
        browser = Browser(request.client, request.header(b"user-agent") or "")
        context = request_context_of(request, self._services.now())
        uri = self._redirect_uri(request, provider)
        try:
            answer = request.parameters()
            return await self._sign_in.finish(provider, cookie, answer, uri, browser, context)
        except (SignInFailed, ValueError) as error:
            raise ProviderSignInFailed("invalid", str(error)) from None

    def _redirect_uri(self, request: Request, provider: str) -> str:
        """Where the issuer sends the browser back. Register this address there."""
        addresses = addresses_for(self._services.addresses, request)
        return f"{addresses.scheme}://{addresses.host}{PREFIX}{provider}{_CALLBACK}"


def _removal(request: Request) -> tuple[bytes, bytes]:
    return cookies.removal(request, _COOKIE, same_site="Lax")
