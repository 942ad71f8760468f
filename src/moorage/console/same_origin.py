"""Requests of other sites are refused, besides that they have no cookie: each of these rules is enough alone.

- A request that can change something has an Origin, and its host is that of the request (Fetch standard, "Origin").
- A browser that says where a request comes from (Fetch Metadata) says `same-origin`.
- A call of the API has a header of the console's own, which other sites may send only after a preflight request, and
  those are not answered.

The scheme is not compared: a proxy may end TLS. A page of the same host on another scheme is another site for SameSite.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from moorage.http.messages import Request

_SAFE: Final = frozenset({"GET", "HEAD"})


def is_own(request: Request) -> bool:
    """Whether a request comes from a page of this console, or only reads and comes from no page."""
    site = request.header(b"sec-fetch-site")
    if site is not None and site != "same-origin" and not (site == "none" and request.method in _SAFE):
        return False
    origin = request.header(b"origin")
    if origin is None:
        return request.method in _SAFE
    host = urlsplit(origin).netloc if len(origin) <= 512 else ""
    return bool(host) and host.lower() in _hosts(request)


def _hosts(request: Request) -> set[str]:
    """The hosts of the request: in its header, and which a trusted proxy was called at."""
    hosts = {(request.header(b"host") or "").lower()}
    if request.reached_at is not None:
        hosts.add(request.reached_at[1].lower())
    return hosts
