"""Translate refusals to error responses of the distribution-spec, with one table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from moorage.domain import errors
from moorage.domain.errors import Refusal
from moorage.domain.pull_through import upstream_errors
from moorage.domain.registry import errors as registry_errors
from moorage.domain.signing import errors as signing_errors
from moorage.http.messages import CLOSE, RETRY_SECONDS, Headers, Response

# The codes are those of the distribution-spec ("Error Codes"), with three additions: TAG_INVALID is ECR's code for an
# immutable tag, UNAVAILABLE is docker's, and PRECONDITION_FAILED is ours. The statuses follow the specification's
# table of endpoints.
OCI_CODES: Final[Mapping[type[Refusal], tuple[int, str]]] = {
    errors.InvalidParameter: (400, "UNSUPPORTED"),
    errors.ManifestInvalid: (400, "MANIFEST_INVALID"),
    errors.NotAuthenticated: (401, "UNAUTHORIZED"),
    errors.AuthorizationTokenExpired: (403, "DENIED"),
    errors.AccessDenied: (403, "DENIED"),
    registry_errors.RepositoryNotFound: (404, "NAME_UNKNOWN"),
    errors.RepositoryNameInvalid: (400, "NAME_INVALID"),
    errors.LimitExceeded: (403, "DENIED"),
    registry_errors.UploadsExceeded: (429, "TOOMANYREQUESTS"),
    registry_errors.Kms: (400, "DENIED"),
    registry_errors.UploadNotFound: (404, "BLOB_UPLOAD_UNKNOWN"),
    registry_errors.InvalidLayerPart: (416, "BLOB_UPLOAD_INVALID"),
    errors.RangeNotSatisfiable: (416, "BLOB_UPLOAD_INVALID"),
    errors.LayerTooLarge: (413, "SIZE_INVALID"),
    registry_errors.InvalidLayer: (400, "DIGEST_INVALID"),
    errors.DigestInvalid: (400, "DIGEST_INVALID"),
    errors.BlobNotFound: (404, "BLOB_UNKNOWN"),
    errors.LayerInUse: (405, "UNSUPPORTED"),
    registry_errors.LayersNotFound: (404, "MANIFEST_BLOB_UNKNOWN"),
    registry_errors.ReferencedImagesNotFound: (404, "MANIFEST_BLOB_UNKNOWN"),
    errors.ManifestNotFound: (404, "MANIFEST_UNKNOWN"),
    errors.ManifestTooLarge: (413, "SIZE_INVALID"),
    errors.PreconditionFailed: (412, "PRECONDITION_FAILED"),
    registry_errors.ImageDigestDoesNotMatch: (400, "DIGEST_INVALID"),
    registry_errors.ImageTagAlreadyExists: (400, "TAG_INVALID"),
    errors.TagInvalid: (400, "TAG_INVALID"),
    registry_errors.ImageReferencedByIndex: (405, "UNSUPPORTED"),
    errors.Unsupported: (405, "UNSUPPORTED"),
    errors.BodyTimeout: (408, "SIZE_INVALID"),
    errors.MalformedBody: (400, "SIZE_INVALID"),
    errors.Throttling: (429, "TOOMANYREQUESTS"),
    errors.BodyLengthDiffers: (400, "SIZE_INVALID"),
    signing_errors.ImageNotSigned: (403, "DENIED"),
    errors.Unavailable: (503, "UNAVAILABLE"),
    upstream_errors.UpstreamAccessDenied: (403, "DENIED"),
    upstream_errors.UpstreamTooManyRequests: (429, "TOOMANYREQUESTS"),
    upstream_errors.UpstreamUnavailable: (503, "UNAVAILABLE"),
    upstream_errors.UpstreamInvalid: (502, "UNAVAILABLE"),
}


def code_of(refusal: type[Refusal]) -> tuple[int, str]:
    """Status and code of a refusal's class, or of its nearest base class. Raises KeyError if the table has neither."""
    for kind in refusal.__mro__:
        if kind in OCI_CODES:
            return OCI_CODES[kind]
    raise KeyError(refusal)


def error_response(refusal: Refusal) -> Response:
    """The response for a refusal."""
    status, code = code_of(type(refusal))
    # ECR has one text for all invalid manifests; here the message has the reason.
    message = refusal.reason if isinstance(refusal, errors.ManifestInvalid) else str(refusal)
    response = error(status, code, message)
    response.headers += _further_headers(refusal)
    return response


def error(status: int, code: str, message: str) -> Response:
    """An error document (distribution-spec, "Error Codes")."""
    body = msgspec.json.encode({"errors": [{"code": code, "message": message}]})
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    return Response(status, headers, body)


def received(size: int) -> tuple[bytes, bytes]:
    """The Range header of an upload of `size` bytes. It cannot express "none"; clients treat `0-0` as the start."""
    return (b"range", b"0-%d" % max(size - 1, 0))


def _further_headers(refusal: Refusal) -> Headers:
    match refusal:
        case registry_errors.InvalidLayerPart():
            return [received(refusal.received)]
        case errors.RangeNotSatisfiable():
            return [received(refusal.members["size"])]
        case upstream_errors.UpstreamTooManyRequests():
            return [(b"retry-after", b"%d" % refusal.members["retry_after"])]
        case errors.Unavailable() | upstream_errors.UpstreamUnavailable():
            return [(b"retry-after", b"%d" % RETRY_SECONDS)]
        case errors.BodyTimeout():
            return [CLOSE]
        case _:
            return []
