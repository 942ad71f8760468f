"""Who signed a request of the AWS clients: the same for ECR and STS."""

from __future__ import annotations

import hashlib

from moorage.aws import sigv4
from moorage.core.access import Credentials
from moorage.core.services import Services
from moorage.http.messages import Request


async def authenticate(services: Services, request: Request, signed: sigv4.SignedRequest, body: bytes) -> Credentials:
    """Look up the access key and prove the signature over `body`.

    Raises UnrecognizedClient, ExpiredToken, InvalidSignature.
    """
    credentials = await services.access.credentials(signed.access_key, signed.session_token)
    sigv4.verify(signed, credentials.secret, hashlib.sha256(body).hexdigest(), services.now())
    request.caller = credentials.key
    return credentials
