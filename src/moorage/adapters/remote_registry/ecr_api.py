"""The API of ECR, of AWS or of another Moorage, signed with Signature Version 4: what the OCI protocol cannot do."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import aiohttp
import msgspec

from moorage.adapters.remote_registry.bodies import read_json
from moorage.adapters.remote_registry.failures import failure_for, failure_of
from moorage.aws.signing import RequestLine, SigningKey, signed_headers
from moorage.domain.remote_registries import (
    REPLICATED_FROM,
    AwsCredentials,
    RemoteDenied,
    RemoteInvalid,
    RemoteMissing,
    RemoteRefused,
    RemoteUnavailable,
)

T = TypeVar("T")

_SERVICE: Final = "AmazonEC2ContainerRegistry_V20150921"
_ANSWER_LIMIT: Final = 32 << 10
_KINDS: Final[dict[str, type[RemoteDenied | RemoteMissing | RemoteUnavailable]]] = {
    "AccessDeniedException": RemoteDenied,
    "ExpiredTokenException": RemoteDenied,
    "InvalidSignatureException": RemoteDenied,
    "UnrecognizedClientException": RemoteDenied,
    "ImageNotFoundException": RemoteMissing,
    "RepositoryNotFoundException": RemoteMissing,
    "ThrottlingException": RemoteUnavailable,
}
"""What codes of errors mean. The status does not show it: ECR answers all of them with 400."""
_EXISTS: Final = "RepositoryAlreadyExistsException"
_STAYS: Final = frozenset(
    {
        "ImageStorageClassUpdateNotSupportedException",  # It is archived already, or an active index lists it.
        "UnknownOperationException",
        "UnsupportedOperationException",
    }
)
"""Refusals to archive an image that change nothing, and are no failure."""


class _Authorization(msgspec.Struct, rename="camel"):
    authorization_token: str
    expires_at: float


class _Answer(msgspec.Struct, rename="camel"):
    authorization_data: list[_Authorization]


class _Nothing(msgspec.Struct):
    pass


async def authorization_token(session: aiohttp.ClientSession, credentials: AwsCredentials) -> tuple[str, float]:
    """The token for Basic, and the seconds until it expires. Raises RemoteFailure."""
    answer = await _call(session, credentials, "GetAuthorizationToken", {}, _Answer)
    if not answer.authorization_data or not answer.authorization_data[0].authorization_token.isascii():
        raise RemoteInvalid("the ECR API issued no usable token")
    first = answer.authorization_data[0]
    return first.authorization_token, max(first.expires_at - time.time(), 60.0)


async def create_repository(session: aiohttp.ClientSession, credentials: AwsCredentials, name: str) -> None:
    """Create a repository, if it does not exist. Raises RemoteFailure."""
    try:
        await _call(session, credentials, "CreateRepository", {"repositoryName": str(name)}, _Nothing)
    except RemoteRefused as refused:
        if refused.code != _EXISTS:
            raise


async def archive_image(
    session: aiohttp.ClientSession, credentials: AwsCredentials, name: str, digest: str, origin: str
) -> None:
    """See `RemoteRegistry.archive_image`."""
    request = {"repositoryName": str(name), "imageId": {"imageDigest": digest}, "targetStorageClass": "ARCHIVE"}
    try:
        await _call(session, credentials, "UpdateImageStorageClass", request, _Nothing, origin)
    except RemoteRefused as refused:
        if refused.code not in _STAYS:
            raise


async def _call(
    session: aiohttp.ClientSession,
    credentials: AwsCredentials,
    operation: str,
    request: Mapping[str, Any],
    kind: type[T],
    origin: str = "",
) -> T:
    url = credentials.endpoint or default_endpoint(credentials.region)
    host = urlsplit(url).netloc
    body = msgspec.json.encode(request)
    headers = _headers(credentials, host, operation, body, origin)
    try:
        answer = await session.post(url, data=body, headers=headers, allow_redirects=False)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise failure_for(error, host) from None
    try:
        if answer.status != 200:
            failure = await failure_of(answer)
            if failure.code in _KINDS:
                raise _KINDS[failure.code](str(failure), status=failure.status, code=failure.code)
            raise failure
        return await read_json(answer, kind, _ANSWER_LIMIT)
    finally:
        answer.close()


def default_endpoint(region: str) -> str:
    """The URL of ECR's API in a Region of AWS."""
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"https://api.ecr.{region}.{suffix}/"


def _headers(credentials: AwsCredentials, host: str, operation: str, body: bytes, origin: str) -> dict[str, str]:
    headers = {
        "host": host,
        "content-type": "application/x-amz-json-1.1",
        "x-amz-target": f"{_SERVICE}.{operation}",
    }
    if credentials.session_token:
        headers["x-amz-security-token"] = credentials.session_token
    if origin:
        headers[REPLICATED_FROM.lower()] = origin
    key = SigningKey(credentials.key_id, credentials.secret, credentials.region, "ecr")
    return signed_headers(key, RequestLine("POST", "/"), headers, hashlib.sha256(body).hexdigest(), int(time.time()))
