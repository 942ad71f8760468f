"""The endpoint of the console.

GET  /console/…               the pages (`static_files.py`)
GET  /console/sign-in/…       sign-in with an issuer (`sign_in_pages.py`)
…    /console/session         who is signed in, sign-in and sign-out (`session_calls.py`)
POST /console/api/            a call of the API, authenticated by the session: the API endpoint answers it
…    /console/api/PATH        a call of a REST service, as at PATH
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Final

from moorage.api.endpoint import ApiEndpoint
from moorage.console import answers, cookies, same_origin
from moorage.console.session_calls import SessionCalls
from moorage.console.sign_in_pages import PREFIX, SignInPages
from moorage.console.static_files import StaticFiles
from moorage.core.console.sessions import ConsoleSessions, SignedOut, SignInFailed
from moorage.domain.errors import (
    BodyLengthDiffers,
    BodyTimeout,
    MalformedBody,
    Refusal,
    RequestEntityTooLarge,
    Unavailable,
)
from moorage.domain.strict_json import BadJson
from moorage.http.application import Endpoint
from moorage.http.blob_response import OF_CONSOLE
from moorage.http.messages import CallDetails, Request, Response
from moorage.telemetry import Log

_API: Final = "/console/api"
_SESSION: Final = "/console/session"
_BODY_STATUSES: Final[Mapping[type[Refusal], int]] = {RequestEntityTooLarge: 413, BodyTimeout: 408}


class ConsoleEndpoint(Endpoint):
    """Serves what is under /console/. `api` authenticates by the session."""

    def __init__(
        self,
        api: ApiEndpoint,
        sessions: ConsoleSessions,
        calls: SessionCalls,
        sign_in: SignInPages,
        files: StaticFiles,
        log: Log,
    ) -> None:
        super().__init__(log)
        self._sign_in = sign_in
        self._api = api
        self._sessions = sessions
        self._calls = calls
        self._files = files

    async def respond(self, request: Request, details: CallDetails) -> Response:
        path = request.path
        if path == "/console":
            return answers.redirect("/console/")
        is_api = path == _API or path.startswith(f"{_API}/")
        if path.startswith(PREFIX):
            return await self._sign_in.answer(request, details)
        if not is_api and path != _SESSION and not path.startswith(f"{_SESSION}/"):
            return self._files.response(request, path.removeprefix("/console/"))
        if not same_origin.is_own(request):
            return answers.error(403, "CrossSiteRequest", "The request does not come from a page of this console")
        try:
            return await self._call(request, details) if is_api else await self._session(request, details)
        except SignedOut as refusal:
            return answers.error(401, "SignedOut", str(refusal))

    def refused(self, request: Request, refusal: Refusal) -> Response:  # noqa: ARG002 - its headers do not matter
        return answers.error(429, refusal.code(), str(refusal))

    def unavailable(self, request: Request, details: CallDetails, refusal: Unavailable) -> Response:
        if details.operation and request.path.startswith(_API):
            return _protected(self._api.unavailable(_inner(request), details, refusal))
        return answers.unavailable(str(refusal))

    def fault(self, request: Request, details: CallDetails) -> Response:
        if details.operation and request.path.startswith(_API):
            return _protected(self._api.fault(_inner(request), details))
        return answers.error(500, "InternalFailure", f"An internal error occurred. Request id: {request.id}")

    async def _session(self, request: Request, details: CallDetails) -> Response:
        try:
            return await self._calls.answer(request, details, self._files.build)
        except SignInFailed as refusal:
            return answers.error(403, "SignInFailed", str(refusal))
        except BadJson as error:
            return answers.error(400, "SerializationException", str(error))
        except (RequestEntityTooLarge, BodyTimeout, BodyLengthDiffers, MalformedBody) as refusal:
            return answers.error(_BODY_STATUSES.get(type(refusal), 400), refusal.code(), str(refusal))

    async def _call(self, request: Request, details: CallDetails) -> Response:
        build = request.header(OF_CONSOLE)
        if build is None:
            return answers.error(403, "CrossSiteRequest", "The request has no X-Moorage-Build header")
        await self._sessions.find(cookies.read(request, cookies.SESSION))
        if build != self._files.build:
            return answers.error(409, "NewerBuild", "The server has other pages than this browser: load them again")
        return _protected(await self._api.respond(_inner(request), details))


def _inner(request: Request) -> Request:
    """The request as the API endpoint gets it, at its own path."""
    inner = copy.copy(request)
    inner.path = request.path.removeprefix(_API) or "/"
    inner.raw_path = request.raw_path.removeprefix(_API.encode()) or b"/"
    return inner


def _protected(response: Response) -> Response:
    response.headers += [answers.NOT_STORED, *answers.PROTECTION]
    return response
