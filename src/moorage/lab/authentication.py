"""Authentication in a lab: signatures have the machine's time, and with `--any-key` any access key is the root user's.

The clock of the registry is the lab's, but clients sign with theirs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from moorage.api.authentication import Proof, SignatureAuthentication, set_caller
from moorage.aws import sigv4
from moorage.core.clock import system_clock
from moorage.core.identity.authentication import Credentials
from moorage.core.services import Services
from moorage.domain.errors import UnrecognizedClient
from moorage.http.messages import CallDetails, Request

_OF_BROWSERS: Final = frozenset({b"origin", b"sec-fetch-site"})
"""Headers that browsers add to requests of web pages, and that no page can leave out (Fetch Standard)."""


def is_from_browser(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a web page sent a request. It must not control a lab on the machine of the person who looks at it.

    Browsers let any page send some requests to this machine, and with DNS rebinding all of them.
    """
    return any(name in _OF_BROWSERS for name, _ in headers)


class LabAuthentication(SignatureAuthentication):
    """Authentication by signatures of the machine's time."""

    def __init__(self, services: Services) -> None:
        super().__init__(services, system_clock)


class AnyKeyAuthentication(LabAuthentication):
    """Accepts unknown access keys with any signature. Known ones, and those of sessions, must be genuine."""

    def __init__(self, services: Services, root_key: str) -> None:
        super().__init__(services)
        self._authenticator = services.authenticator
        self._root_key = root_key

    async def begin(self, request: Request, service: str) -> Proof:
        """See `Authentication`."""
        try:
            return await super().begin(request, service)
        except UnrecognizedClient:
            if is_from_browser(request.header_lines):
                raise
        signed = sigv4.parse(request.method, request.raw_path, request.query, request.header_lines, services=(service,))
        return _Anybody(await self._authenticator.credentials(self._root_key, None), signed.region)


@dataclass(frozen=True, slots=True)
class _Anybody:
    """The proof of a caller whose key nobody knows."""

    credentials: Credentials
    region: str

    async def body(self, request: Request, details: CallDetails, limit: int) -> bytes:
        body = await request.body.whole(limit)
        set_caller(details, self.credentials, self.region)
        return body
