"""Location headers: whole URLs where the client's scheme and host are certain, paths elsewhere.

A client resolves a path against the URL that it requested (RFC 9110, section 10.2.2), so a path is right behind every
proxy. Amazon ECR sends whole URLs, and there are clients that need them.
"""

from __future__ import annotations

from moorage.domain.location_forms import AUTO, RELATIVE
from moorage.http.messages import Request
from moorage.http.origins import certain_origin, requested_origin


class Locations:
    """Makes the values of Location headers, in one form (`domain/location_forms.py`)."""

    def __init__(self, form: str) -> None:
        self._form = form

    def of(self, request: Request, path: str) -> bytes:
        """The location of a path of this server, for the client that sent the request."""
        if self._form == RELATIVE:
            return path.encode()
        origin = certain_origin(request) if self._form == AUTO else requested_origin(request)
        return (path if origin is None else f"{origin}{path}").encode()
