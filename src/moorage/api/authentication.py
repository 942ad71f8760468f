"""Authentication of requests of AWS clients, for ECR and STS.

The signature covers the hash of the body, so it can be checked only after the body was received. What can be checked
before is: that the access key exists, that the date is recent, and the signature itself if a header states the hash.
"""

from __future__ import annotations

import hashlib

from moorage.aws import sigv4
from moorage.core.identity.authentication import Credentials
from moorage.core.services import Services
from moorage.http.messages import CallDetails, Request


async def claimed_credentials(services: Services, signed: sigv4.SignedRequest) -> Credentials:
    """The credentials that a request claims to be signed with, before its body is received.

    Raises UnrecognizedClient, ExpiredToken, InvalidSignature.
    """
    if not services.limits.regions.include(signed.region):
        raise sigv4.invalid_region(signed.region)
    credentials = await services.authenticator.credentials(signed.access_key, signed.session_token)
    sigv4.verify_head(signed, credentials.secret, services.now())
    return credentials


async def authenticated_body(
    services: Services,
    request: Request,
    details: CallDetails,
    signed: sigv4.SignedRequest,
    credentials: Credentials,
    limit: int,
) -> bytes:
    """Receive the body and verify the signature; sets the caller in `details`.

    Raises the errors of `RequestBody.whole`, InvalidSignature.
    """
    payload = hashlib.sha256()
    body = await request.body.whole(limit, payload.update)
    sigv4.verify(signed, credentials.secret, payload.hexdigest(), services.now())
    services.authenticator.record_use(credentials)
    details.caller = credentials.caller(signed.region)
    details.caller_name = credentials.key if credentials.owner.role is None else credentials.owner.arn
    return body
