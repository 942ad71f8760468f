"""The addresses that a response has for its client."""

from __future__ import annotations

from moorage.core.registry.addresses import Addresses
from moorage.http.messages import Request
from moorage.http.origins import signed_origin


def addresses_for(addresses: Addresses, request: Request) -> Addresses:
    """The addresses for the client of an authenticated request, which a trusted proxy or its host names.

    Nobody between them changed the host: a signature covers it, or a browser keeps its cookies for it.
    """
    if request.reached_at is not None:
        return addresses.reached_at(*request.reached_at)
    origin = signed_origin(request)
    return addresses if origin is None else addresses.called_at(*origin)
