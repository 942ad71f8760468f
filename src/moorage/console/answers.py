"""Responses of the console: JSON, and the headers that every response under /console/ has."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from moorage.http.messages import RETRY_SECONDS, Headers, Response

POLICY: Final = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self';"
    b" connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""The Content-Security-Policy: nothing from elsewhere, nothing inline, in no frame. The design system has some of its
pictures in its style sheets, as `data:`."""

PROTECTION: Final[Headers] = [
    (b"content-security-policy", POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin-allow-popups"),  # A sign-in opens a window of its own.
    (b"cross-origin-resource-policy", b"same-origin"),
]
NOT_STORED: Final = (b"cache-control", b"no-store")


def json(status: int, value: Any, *more: tuple[bytes, bytes]) -> Response:
    """A JSON response that no cache keeps."""
    body = msgspec.json.encode(value)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), NOT_STORED]
    return Response(status, [*headers, *PROTECTION, *more], body)


def error(status: int, code: str, message: str, *more: tuple[bytes, bytes]) -> Response:
    """An error in the form that the API has: `__type` and `message`."""
    return json(status, {"__type": code, "message": message}, *more)


def unavailable(message: str) -> Response:
    """The response while the registry cannot serve the request."""
    return error(503, "Unavailable", message, (b"retry-after", b"%d" % RETRY_SECONDS))


def page(html: str, *more: tuple[bytes, bytes]) -> Response:
    """A page of a few words."""
    body = html.encode()
    headers = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", b"%d" % len(body)), NOT_STORED]
    return Response(200, [*headers, *PROTECTION, *more], body)


def redirect(location: str, *more: tuple[bytes, bytes]) -> Response:
    headers = [(b"location", location.encode()), (b"content-length", b"0"), NOT_STORED]
    return Response(302, [*headers, *PROTECTION, *more])
