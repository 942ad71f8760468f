"""Authentication of requests of AWS clients, for ECR and STS."""

from __future__ import annotations

import hashlib

from moorage.aws import sigv4
from moorage.core.identity.authentication import Credentials
from moorage.core.services import Services
from moorage.http.messages import CallDetails, Request


async def authenticated_body(
    services: Services, request: Request, details: CallDetails, signed: sigv4.SignedRequest, limit: int
) -> tuple[bytes, Credentials]:
    """Receive the body, look up the access key and verify the signature; sets the caller in `details`.

    Raises the errors of `RequestBody.whole`, UnrecognizedClient, ExpiredToken, InvalidSignature.
    """
    payload = hashlib.sha256()
    body = await request.body.whole(limit, payload.update)
    credentials = await services.authenticator.credentials(signed.access_key, signed.session_token)
    sigv4.verify(signed, credentials.secret, payload.hexdigest(), services.now())
    services.authenticator.record_use(credentials)
    details.caller = credentials.caller(signed.region)
    details.caller_name = credentials.key if credentials.owner.role is None else credentials.owner.arn
    return body, credentials
