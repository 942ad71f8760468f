"""Translate statuses and errors into the failures of the port. No text contains a query, because some are signed."""

from __future__ import annotations

import time
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Final

import aiohttp
import msgspec

from moorage.adapters.remote_registry.origins import AddressRefused
from moorage.bounds import shortened
from moorage.domain import strict_json
from moorage.domain.remote_registries import (
    RemoteDenied,
    RemoteFailure,
    RemoteInvalid,
    RemoteMissing,
    RemoteRefused,
    RemoteThrottled,
    RemoteUnavailable,
)
from moorage.domain.strict_json import BadJson

_ERROR_BODY_LIMIT: Final = 16 << 10
_TEXT_LIMIT: Final = 300
_DEFAULT_WAIT: Final = 60.0
_LONGEST_WAIT: Final = 900.0
_NOT_NOW: Final = frozenset({408, 425})


class _Error(msgspec.Struct):
    code: str = ""
    message: str = ""


class _Errors(msgspec.Struct):
    """The errors of a registry, or one of the ECR API, which has the members of the second half."""

    errors: list[_Error] = []
    code: str = msgspec.field(default="", name="__type")
    message: str = ""


async def failure_of(answer: aiohttp.ClientResponse) -> RemoteFailure:
    """The failure for an answer that is not a success. It reads the beginning of the body."""
    error = await _error_in(answer)
    status = answer.status
    if status == 429:
        return RemoteThrottled(f"{answer.url.host} asks for fewer requests", retry_after(answer))
    detail = ": ".join(filter(None, (error.code, error.message)))
    reason = shortened(f"{answer.url.host} answered {status}{f' ({detail})' if detail else ''}", _TEXT_LIMIT)
    return _kind_of(status)(reason, status=status, code=error.code[:100])


def _kind_of(status: int) -> type[RemoteMissing | RemoteDenied | RemoteUnavailable | RemoteRefused | RemoteInvalid]:
    if status == 404:
        return RemoteMissing
    if status in {401, 403}:
        return RemoteDenied
    if status >= 500 or status in _NOT_NOW:
        return RemoteUnavailable
    return RemoteRefused if status >= 400 else RemoteInvalid


def retry_after(answer: aiohttp.ClientResponse) -> float:
    """The seconds that a registry asks its client to wait: a number, or a date (RFC 9110, section 10.2.3)."""
    text = answer.headers.get("Retry-After", "")
    seconds = _DEFAULT_WAIT
    if text.isdecimal() and len(text) < 10:
        seconds = float(text)
    elif text:
        with suppress(ValueError, OverflowError):
            seconds = parsedate_to_datetime(text).timestamp() - time.time()
    return min(max(seconds, 1.0), _LONGEST_WAIT)


def failure_for(error: Exception, host: str) -> RemoteFailure:
    """The failure for an error of the connection."""
    if isinstance(error, TimeoutError):
        return RemoteUnavailable(f"{host} did not answer in time")
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, AddressRefused):
        return RemoteDenied(f"no connection to {host}: {error.os_error}")
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return RemoteUnavailable(f"the proxy answered {error.status} for {host}")
    if isinstance(error, aiohttp.InvalidURL | aiohttp.ClientResponseError | ValueError):
        return RemoteInvalid(f"{host} does not speak HTTP as it should: {type(error).__name__}")
    reason = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    text = str(reason.strerror or reason) if isinstance(reason, OSError) else type(error).__name__
    return RemoteUnavailable(shortened(f"no connection to {host}: {text}", _TEXT_LIMIT))


async def _error_in(answer: aiohttp.ClientResponse) -> _Error:
    """The first error of the body (distribution-spec, "Error Codes"); an empty one if the body has another form."""
    if answer.method == "HEAD" or answer.headers.get("Content-Encoding"):
        return _Error()
    body = bytearray()
    try:
        async for chunk in answer.content.iter_any():
            body += chunk
            if len(body) > _ERROR_BODY_LIMIT:
                return _Error()
        found = strict_json.read_as(_Errors, bytes(body))
    except (aiohttp.ClientError, TimeoutError, BadJson):
        return _Error()
    return found.errors[0] if found.errors else _Error(found.code.rpartition("#")[2], found.message)
