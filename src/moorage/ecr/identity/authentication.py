"""Who signed a request of the AWS clients: the same for ECR and STS."""

from __future__ import annotations

import hashlib

from moorage.aws import sigv4
from moorage.core.identity.authentication import Credentials
from moorage.core.services import Services
from moorage.http.bodies import whole
from moorage.http.messages import Request


async def authenticated_body(
    services: Services, request: Request, signed: sigv4.SignedRequest, limit: int
) -> tuple[bytes, Credentials]:
    """Receive the body, look up the access key and prove its signature.

    Raises what `whole` raises, UnrecognizedClient, ExpiredToken, InvalidSignature.
    """
    payload = hashlib.sha256()
    body = await whole(request, limit, payload.update)
    credentials = await services.access.credentials(signed.access_key, signed.session_token)
    sigv4.verify(signed, credentials.secret, payload.hexdigest(), services.now())
    services.access.note_use(credentials)
    request.caller = credentials.key if credentials.holder.role is None else credentials.holder.arn
    return body, credentials
