"""Authentication of requests to the API: by a signature, or for the console by its session (`Authentication`).

A signature covers the hash of the body, so it can be checked only after the body was received. What can be checked
before is: that the access key exists, that the date is recent, and the signature itself if a header states the hash.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Protocol

from moorage.aws import sigv4
from moorage.core.clock import Clock
from moorage.core.identity.authentication import Authenticator, Credentials
from moorage.core.services import Services
from moorage.http.messages import CallDetails, Request


class Proof(Protocol):
    """What a request shows of its caller before its body is received: credentials that exist, and a Region."""

    @property
    def credentials(self) -> Credentials: ...

    @property
    def region(self) -> str: ...

    async def body(self, request: Request, details: CallDetails, limit: int) -> bytes:
        """Receive the body and finish the proof; sets the caller in `details`.

        Raises the errors of `RequestBody.whole`, InvalidSignature.
        """


class Authentication(Protocol):
    """How the caller of a request is found."""

    async def begin(self, request: Request, service: str) -> Proof:
        """The proof of a request for a service, whose signing name is given. Raises the refusals of its kind."""


class SignatureAuthentication:
    """Authentication by Signature Version 4."""

    def __init__(self, services: Services, now: Clock) -> None:
        """`now` is the clock that the dates of signatures are compared with."""
        self._services = services
        self._now = now

    async def begin(self, request: Request, service: str) -> Proof:
        """See `Authentication`.

        Raises the errors of `sigv4.parse`, UnrecognizedClient, ExpiredToken, InvalidSignature.
        """
        services = self._services
        signed = sigv4.parse(request.method, request.raw_path, request.query, request.header_lines, services=(service,))
        if not services.limits.regions.include(signed.region):
            raise sigv4.invalid_region(signed.region)
        credentials = await services.authenticator.credentials(signed.access_key, signed.session_token)
        sigv4.verify_head(signed, credentials.secret, self._now())
        return _Signature(services.authenticator, credentials, signed, self._now)


@dataclass(frozen=True, slots=True)
class _Signature:
    authenticator: Authenticator
    credentials: Credentials
    signed: sigv4.SignedRequest
    now: Clock

    @property
    def region(self) -> str:
        return self.signed.region

    async def body(self, request: Request, details: CallDetails, limit: int) -> bytes:
        payload = hashlib.sha256()
        body = await request.body.whole(limit, payload.update)
        sigv4.verify(self.signed, self.credentials.secret, payload.hexdigest(), self.now())
        self.authenticator.record_use(self.credentials)
        set_caller(details, self.credentials, self.region)
        return body


def set_caller(details: CallDetails, credentials: Credentials, region: str) -> None:
    """Note who the authenticated caller is, and its name for logs."""
    details.caller = credentials.caller(region)
    details.caller_name = credentials.key if credentials.owner.role is None else credentials.owner.arn
