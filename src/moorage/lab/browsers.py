"""Requests of web pages: they must not control a lab on the machine of the person who looks at the page.

Browsers let any page send some requests to this machine, and with DNS rebinding all of them. They add these headers,
which no page can leave out (Fetch Standard, "Origin header"; Fetch Metadata).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_OF_BROWSERS: Final = frozenset({b"origin", b"sec-fetch-site"})


def is_from_browser(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    return any(name in _OF_BROWSERS for name, _ in headers)
