"""Authentication of the console's calls of the API: by the session of the browser."""

from __future__ import annotations

from dataclasses import dataclass

from moorage.api.authentication import Proof, set_caller
from moorage.aws import sigv4
from moorage.console import cookies
from moorage.core.console.sessions import ConsoleSessions, SignedIn
from moorage.core.identity.authentication import Credentials
from moorage.core.services import Services
from moorage.http.messages import CallDetails, Request


class SessionAuthentication:
    """The `Authentication` of the console. A call names its Region in a header."""

    def __init__(self, services: Services, sessions: ConsoleSessions, region: str) -> None:
        self._services = services
        self._sessions = sessions
        self._region = region

    async def begin(self, request: Request, _service: str) -> Proof:
        """See `Authentication`. Raises SignedOut, InvalidSignature for a Region that does not exist."""
        region = request.header(b"x-moorage-region") or self._region
        if not self._services.limits.regions.include(region):
            raise sigv4.invalid_region(region)
        signed_in = await self._sessions.find(cookies.read(request, cookies.SESSION))
        await self._sessions.renew(signed_in)
        return _Session(signed_in, region)


@dataclass(frozen=True, slots=True)
class _Session:
    signed_in: SignedIn
    region: str

    @property
    def credentials(self) -> Credentials:
        return self.signed_in.credentials

    async def body(self, request: Request, details: CallDetails, limit: int) -> bytes:
        body = await request.body.whole(limit)
        set_caller(details, self.credentials, self.region)
        details.is_from_console = True
        return body
