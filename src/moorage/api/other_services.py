"""Responses to requests for services of AWS that are not here. Each is in the protocol of its service.

Clients send such requests when `AWS_ENDPOINT_URL` names this server for all services. The response is an error that
names the services that are here. It depends only on the service that the request names, so nothing is looked up for a
caller who has not authenticated, and the body is not read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from moorage.aws import codec, sigv4
from moorage.aws.query import FORM
from moorage.http.messages import Request, Response

_NAME: Final = re.compile(r"[a-z0-9-]{1,40}")

_OWN_ENDPOINTS: Final = (
    "To let other services keep their own endpoints, set AWS_ENDPOINT_URL_ECR and AWS_ENDPOINT_URL_STS instead of "
    "AWS_ENDPOINT_URL."
)
_ADVICE: Final = {
    "ecr-public": "Public registries are not supported; for private repositories, use the service ecr.",
}

_S3: Final = frozenset({"s3", "s3express", "s3-object-lambda", "s3-outposts"})
_REST_XML: Final = frozenset({"cloudfront", "route53"})
_UNKNOWN: Final = "UnknownOperationException"


class OtherServices:
    """Recognizes and answers requests for other services. `names` are the services that are here, besides STS."""

    def __init__(self, names: Sequence[str], target_prefixes: Sequence[str]) -> None:
        self._here = frozenset({*names, "sts"})
        self._target_prefixes = tuple(target_prefixes)

    def requested(self, request: Request) -> str | None:
        """The service that a signed request is for, if it is not here.

        A call of a service here that is signed for another one is a wrong signature, which the service refuses.
        """
        if (request.header(b"x-amz-target") or "").startswith(self._target_prefixes):
            return None
        service = sigv4.claimed_service(request.header(b"authorization"))
        return service if service not in self._here and _NAME.fullmatch(service or "") else None

    def response(self, service: str, request: Request) -> Response:
        """The error for a request to this service. Its status is 400, because the client caused it, not the server."""
        *names, last = sorted(self._here)
        here = f"{', '.join(names)} and {last}"
        message = f"Moorage serves the services {here}, not {service}. {_ADVICE.get(service, _OWN_ENDPOINTS)}"
        return _response(service, message, request)


def _response(service: str, message: str, request: Request) -> Response:
    content_type, body = _error(service, message, request)
    headers = [
        (b"content-type", content_type.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"x-amzn-requestid", request.id.encode()),
    ]
    if content_type == codec.CONTENT_TYPE:
        headers.append((b"x-amzn-errortype", _UNKNOWN.encode()))  # Where the REST protocol has the name of an error.
    return Response(400, headers, body)


def _error(service: str, message: str, request: Request) -> tuple[str, bytes]:
    """Content type and body of an error, by the protocol of the service (smithy.io, "AWS protocols").

    The names and texts have no character that XML escapes.
    """
    if service in _S3:
        error = f"<Code>InvalidRequest</Code><Message>{message}</Message><RequestId>{request.id}</RequestId>"
        return "application/xml", f"<Error>{error}</Error>".encode()
    if service in _REST_XML or (request.header(b"content-type") or "").startswith(FORM):
        error = f"<Error><Type>Sender</Type><Code>InvalidAction</Code><Message>{message}</Message></Error>"
        return "text/xml", f"<ErrorResponse>{error}<RequestId>{request.id}</RequestId></ErrorResponse>".encode()
    return codec.CONTENT_TYPE, msgspec.json.encode({"__type": _UNKNOWN, "message": message})
