"""Origins: the scheme, host and port at which a client reached the server, and whether they are certain.

All addresses that follow the client are decided here: those that the API returns, Location headers, and the realm of
the challenge. An origin that is certain works for the client that gets it, behind port mappings and tunnels, too.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from moorage.bounds import bounded_cache
from moorage.domain import hosts
from moorage.http.forwarding import HOST
from moorage.http.messages import Request

_is_loopback = bounded_cache(entries=1024, size=1 << 16)(hosts.is_loopback)
_names_loopback = bounded_cache(entries=1024, size=1 << 16)(hosts.names_loopback)

_PROTO: Final = b"x-forwarded-proto"
_BY_PROXIES: Final = frozenset({b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", _PROTO, b"x-real-ip"})
"""Headers that only proxies add."""


class Origin(NamedTuple):
    """A scheme and a host, with its port if the client named one: `http` and `localhost:5001`."""

    scheme: str
    host: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}"


def requested_origin(request: Request) -> Origin | None:
    """The origin in the request, certain or not; None if the Host header has anything else."""
    host = request.headers[b"host"]
    return Origin(request.scheme, host.decode()) if HOST.fullmatch(host) else None


def certain_origin(request: Request) -> Origin | None:
    """The origin that the client used; None if it is not certain."""
    origin = requested_origin(request)
    if origin is None or not _is_certain(request, origin, is_from_here=_is_loopback(request.client)):
        return None
    return origin


def signed_origin(request: Request) -> Origin | None:
    """The origin that the client of a request with a valid signature used; None if it is not certain.

    The signature covers the Host header. So nobody between the client and the server has changed it, and a loopback
    name comes from a client on the other side of a port mapping or a tunnel.
    """
    origin = requested_origin(request)
    return origin if origin is not None and _is_certain(request, origin, is_from_here=True) else None


def _is_certain(request: Request, origin: Origin, *, is_from_here: bool) -> bool:
    """Whether the client used the scheme and the host that the request has.

    A trusted proxy has to name the scheme, because it may end TLS. Through a proxy that is not trusted, both can
    differ. One that adds no header cannot be noticed, but seldom calls this machine by the name that a client uses.
    """
    if request.reached_at is not None:
        return request.headers.get(_PROTO, b"").rpartition(b",")[2].strip() == request.scheme.encode()
    if not _BY_PROXIES.isdisjoint(request.headers):
        return False
    return request.scheme == "https" or (is_from_here and _names_loopback(origin.host))
