"""The cookies of the console (RFC 6265bis): no script reads them, and no request of another site has them."""

from __future__ import annotations

from typing import Final

from moorage.http.messages import Request

SESSION: Final = "moorage-console"
_SECURE_PREFIX: Final = "__Host-"
_LONGEST: Final = 4096
"""Bytes of a cookie that is read: browsers keep no longer one (RFC 6265bis, section 5.6)."""


def read(request: Request, name: str) -> str | None:
    """The value of a cookie of the scheme that the request came by; None if there is none."""
    name = _name(request, name)
    for part in (request.header(b"cookie") or "")[: 4 * _LONGEST].split(";"):
        found, _, value = part.strip().partition("=")
        if found == name and len(value) <= _LONGEST:
            return value
    return None


def setting(
    request: Request, name: str, value: str, *, same_site: str = "Strict", seconds: int | None = None
) -> tuple[bytes, bytes]:
    """The header that sets a cookie; without `seconds` it lasts as long as the browser is open.

    Under TLS it has the prefix `__Host-`, with which browsers accept it from this host alone, over TLS alone.
    """
    parts = [f"{_name(request, name)}={value}", "Path=/", "HttpOnly", f"SameSite={same_site}"]
    if request.scheme == "https":
        parts.append("Secure")
    if seconds is not None:
        parts.append(f"Max-Age={seconds}")
    return (b"set-cookie", "; ".join(parts).encode())


def removal(request: Request, name: str, *, same_site: str = "Strict") -> tuple[bytes, bytes]:
    return setting(request, name, "", same_site=same_site, seconds=0)


def _name(request: Request, name: str) -> str:
    return f"{_SECURE_PREFIX}{name}" if request.scheme == "https" else name
