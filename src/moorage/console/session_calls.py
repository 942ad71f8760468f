"""The calls about the session of a browser: GET, POST and DELETE /console/session, and POST /console/session/renew.

GET shows who is signed in. POST begins a session with an access key (`accessKeyId`, `secretAccessKey`, for temporary
credentials also `sessionToken`) or with the token of a link (`token`). DELETE ends it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from moorage import __version__
from moorage.api.addresses import addresses_for
from moorage.api.authentication import set_caller
from moorage.console import answers, cookies
from moorage.core.console.sessions import Browser, ConsoleSessions, SignedIn, SignedOut, SignInFailed
from moorage.core.events.audit import SignIn
from moorage.core.services import Services
from moorage.domain import strict_json
from moorage.domain.identity.sign_in import SignInProvider
from moorage.domain.names import Registry
from moorage.domain.units import SECOND
from moorage.http.messages import CallDetails, Request, Response

_BODY_LIMIT: Final = 64 << 10


class _SignInBody(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The body of a sign-in."""

    access_key_id: str = ""
    secret_access_key: str = ""
    session_token: str | None = None
    token: str = ""


@dataclass(frozen=True, slots=True)
class ConsoleSettings:
    """What the console knows of the settings: the default Region, those that were added, and who vouches for people."""

    region: str
    more_regions: Sequence[str]
    providers: Sequence[SignInProvider]

    @property
    def shown_providers(self) -> list[dict[str, str]]:
        return [{"id": each.id, "label": each.label} for each in self.providers]


class SessionCalls:
    """Answers the calls about the session."""

    def __init__(self, services: Services, sessions: ConsoleSessions, settings: ConsoleSettings) -> None:
        self._services = services
        self._sessions = sessions
        self._settings = settings

    async def answer(self, request: Request, details: CallDetails, build: str) -> Response:
        """Raises SignInFailed, SignedOut, BadJson, the errors of `RequestBody.whole`."""
        match request.method, request.path.removeprefix("/console/session"):
            case "GET", "":
                return answers.json(200, await self._shown(request, details, build))
            case "POST", "":
                signed_in = await self._sign_in(request, details)
                cookie = cookies.setting(request, cookies.SESSION, signed_in.cookie)
                return answers.json(200, self._of(request, signed_in, build), cookie)
            case "POST", "/renew":
                signed_in = await self._current(request, details)
                await self._sessions.renew(signed_in)
                return answers.json(200, self._of(request, await self._current(request, details), build))
            case "DELETE", "":
                return await self._sign_out(request, details)
        return answers.error(404, "NotFound", "There is no such call")

    async def _shown(self, request: Request, details: CallDetails, build: str) -> dict[str, Any]:
        try:
            return self._of(request, await self._current(request, details), build)
        except SignedOut:
            return {"signedIn": False, "build": build, "providers": self._settings.shown_providers}

    async def _current(self, request: Request, details: CallDetails) -> SignedIn:
        signed_in = await self._sessions.find(cookies.read(request, cookies.SESSION))
        set_caller(details, signed_in.credentials, self._settings.region)
        return signed_in

    async def _sign_in(self, request: Request, details: CallDetails) -> SignedIn:
        details.operation = "console:ConsoleLogin"
        given = strict_json.read_as(_SignInBody, await request.body.whole(_BODY_LIMIT))
        browser = Browser(request.client, request.header(b"user-agent") or "")
        self._services.limits.require_reserve()
        try:
            if given.token:
                signed_in = await self._sessions.use_link(given.token, browser)
            else:
                signed_in = await self._sessions.sign_in(
                    given.access_key_id.strip(), given.secret_access_key.strip(), given.session_token, browser
                )
        except SignInFailed as failure:
            self._services.audit.record_sign_in(request, SignIn(None, str(failure), is_by_link=bool(given.token)))
            raise
        set_caller(details, signed_in.credentials, self._settings.region)
        self._services.audit.record_sign_in(request, SignIn(details.caller, None, is_by_link=bool(given.token)))
        return signed_in

    async def _sign_out(self, request: Request, details: CallDetails) -> Response:
        with suppress(SignedOut):
            await self._sessions.end(await self._current(request, details))
        return answers.json(200, {}, cookies.removal(request, cookies.SESSION))

    def _of(self, request: Request, signed_in: SignedIn, build: str) -> dict[str, Any]:
        owner, settings = signed_in.credentials.owner, self._settings
        addresses = addresses_for(self._services.addresses, request)
        registry = Registry(owner.account, settings.region)
        return {
            "signedIn": True,
            "account": owner.account,
            "arn": owner.arn,
            "name": owner.user_name or owner.arn.rpartition("/")[2],
            "region": settings.region,
            "regions": [settings.region, *settings.more_regions],
            "expires": signed_in.session.expires_at // SECOND,
            "registryHost": addresses.host_of(registry),
            "endpointUrl": f"{addresses.scheme}://{addresses.host}",
            "version": __version__,
            "build": build,
            "providers": settings.shown_providers,
        }
