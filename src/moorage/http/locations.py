"""Location headers: whole URLs where the client's scheme and host are certain, paths elsewhere.

A client resolves a path against the URL that it requested (RFC 9110, section 10.2.2), so a path is right behind every
proxy. Amazon ECR sends whole URLs, and there are clients that need them.
"""

from __future__ import annotations

import ipaddress
from typing import Final

from moorage.domain.location_forms import AUTO, RELATIVE
from moorage.http.forwarding import HOST
from moorage.http.messages import Request

_PROTO: Final = b"x-forwarded-proto"
_BY_PROXIES: Final = frozenset({b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", _PROTO, b"x-real-ip"})
"""Headers that only proxies add."""


class Locations:
    """Makes the values of Location headers, in one form (`domain/location_forms.py`)."""

    def __init__(self, form: str) -> None:
        self._form = form

    def of(self, request: Request, path: str) -> bytes:
        """The location of a path of this server, for the client that sent the request."""
        host = requested_host(request)
        if host is None or self._form == RELATIVE:
            return path.encode()
        if self._form == AUTO and not _is_certain(request, host):
            return path.encode()
        return f"{request.scheme}://{host}{path}".encode()


def requested_host(request: Request) -> str | None:
    """The host and port that the client requested; None if the header has anything else."""
    host = request.headers[b"host"]
    return host.decode() if HOST.fullmatch(host) else None


def _is_certain(request: Request, host: str) -> bool:
    """Whether the client used the scheme and the host that the request has.

    A trusted proxy has to name the scheme, because it may end TLS. Through a proxy that is not trusted, both can
    differ. One that adds no header cannot be noticed, but seldom calls this machine by the name that a client uses.
    """
    if request.reached_at is not None:
        return request.headers.get(_PROTO, b"").rpartition(b",")[2].strip() == request.scheme.encode()
    if not _BY_PROXIES.isdisjoint(request.headers):
        return False
    return request.scheme == "https" or (_is_loopback(request.client) and _names_loopback(host))


def _names_loopback(host: str) -> bool:
    """Whether a host, with or without a port, always means the client's own machine (RFC 6761, section 6.3)."""
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return name == "localhost" or name.endswith(".localhost") or _is_loopback(name)


def _is_loopback(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
