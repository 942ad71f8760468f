"""The download endpoint: GET /layers/DIGEST?token=…, the URLs that GetDownloadUrlForLayer returns.

The token in the URL is the permission.
"""

from __future__ import annotations

from typing import Final

from moorage.core.services import Services
from moorage.domain.errors import AccessDenied, Refusal, Unavailable
from moorage.http.application import Endpoint
from moorage.http.blob_response import BlobResponses
from moorage.http.messages import RETRY_SECONDS, CallDetails, Request, Response
from moorage.telemetry import Log

_PREFIX: Final = "/layers/"


class DownloadEndpoint(Endpoint):
    """Serves layers to clients with a download link. It responds as S3 does, because ECR's links lead to S3."""

    def __init__(self, services: Services, log: Log, responses: BlobResponses) -> None:
        super().__init__(log)
        self._services = services
        self._responses = responses

    async def respond(self, request: Request, details: CallDetails) -> Response:
        details.operation = "download"
        if request.method not in {"GET", "HEAD"}:
            return _error(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
        digest = request.path.removeprefix(_PREFIX)
        try:
            token = request.parameters().get("token", "")
        except ValueError:  # Too many parameters.
            return _error(400, "InvalidURI", "Couldn't parse the specified URI.")
        try:
            blob = await self._services.database.read(lambda tx: self._services.download_links.blob(tx, digest, token))
        except AccessDenied as refusal:
            return _error(403, "AccessDenied", str(refusal))
        if blob is None:
            return _error(404, "NoSuchKey", "The specified key does not exist.")
        return await self._responses.response(request, blob)

    def refused(self, request: Request, refusal: Refusal) -> Response:  # noqa: ARG002 - see `fault`
        return _error(503, "SlowDown", str(refusal))

    def unavailable(self, request: Request, details: CallDetails, refusal: Unavailable) -> Response:  # noqa: ARG002 - see `fault`
        response = _error(503, "ServiceUnavailable", str(refusal))
        response.headers.append((b"retry-after", b"%d" % RETRY_SECONDS))
        return response

    def fault(self, request: Request, details: CallDetails) -> Response:  # noqa: ARG002 - S3's response has only the request id
        return _error(500, "InternalError", f"We encountered an internal error. Request id: {request.id}")


def _error(status: int, code: str, message: str) -> Response:
    escaped = message.replace("&", "&amp;").replace("<", "&lt;")
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{escaped}</Message></Error>'
    content = body.encode()
    headers = [(b"content-type", b"application/xml"), (b"content-length", b"%d" % len(content))]
    return Response(status, headers, content)
