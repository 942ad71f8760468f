"""Requests, responses and outcomes, kept small because thousands of pulls per second use them.

A request is never changed. What becomes known while it is served (operation, caller, parameters) is in the outcome,
for the log, metrics, traces and the audit log.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl

from moorage.domain.identity.callers import Caller
from moorage.http.bodies import Receive, RequestBody

Scope = dict[str, Any]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

_SINGLE = (b"host", b"authorization", b"content-length", b"content-type", b"content-range", b"x-amz-target")

RETRY_SECONDS: Final = 10
"""The number of seconds in Retry-After while the registry cannot store anything."""

REACHED_AT = "moorage.reached_at"
"""The key in the scope for the address that a trusted proxy was called at (`forwarding.py`)."""


class BadRequest(Exception):
    """The head of the request is ambiguous or not valid HTTP; the text is for the client."""


class Request:
    """The head of a request, and its body as it arrives. Never changed after its creation.

    `client` is the client's address; `reached_at` has the scheme and host that a trusted proxy was called at.
    """

    __slots__ = (
        "_body",
        "_read_ahead",
        "_receive",
        "client",
        "headers",
        "id",
        "method",
        "path",
        "query",
        "reached_at",
        "scope",
    )

    def __init__(self, scope: Scope, receive: Receive, request_id: str, read_ahead: int = 1) -> None:
        """`read_ahead`: see `RequestBody`. Raises BadRequest."""
        self.scope = scope
        self.id = request_id
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.query: bytes = scope["query_string"]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        client = scope.get("client")
        self.client: str = client[0] if client else ""
        self.reached_at: tuple[str, str] | None = scope.get(REACHED_AT)
        self._body: RequestBody | None = None
        self._receive = receive
        self._read_ahead = read_ahead
        _check_head(self)

    @property
    def body(self) -> RequestBody:
        """The body, as it arrives; a pull never uses it."""
        if self._body is None:
            self._body = RequestBody(self._receive, self.headers.get(b"content-length"), self._read_ahead)
        return self._body

    def header(self, name: bytes) -> str | None:
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    def parameters(self) -> dict[str, str]:
        """Query parameters; the first of several with one name. Raises ValueError beyond 100 parameters."""
        return dict(reversed(self._pairs()))

    def repeated(self, parameter: str) -> list[str]:
        """All values of one query parameter. Raises ValueError beyond 100 parameters."""
        return [value for name, value in self._pairs() if name == parameter]

    def _pairs(self) -> list[tuple[str, str]]:
        if not self.query:
            return []
        return parse_qsl(self.query.decode("latin-1"), keep_blank_values=True, max_num_fields=100)


@dataclass(slots=True)
class Response:
    """Either `body`, `file` or `stream` is sent; `size` is the length of a file or stream."""

    status: int
    headers: Headers = field(default_factory=list)
    body: bytes = b""
    file: Path | None = None
    stream: AsyncIterator[bytes] | None = None
    size: int = 0


@dataclass(slots=True)
class CallDetails:
    """What is known of a call so far. A refusal or a fault can end it at any step.

    `caller` is the authenticated caller, and `caller_name` its name in logs: an access key id or an ARN. `parameters`
    are the members of the operation's request.
    """

    operation: str = ""
    caller: Caller | None = None
    caller_name: str = ""
    parameters: dict[str, Any] | None = None


@dataclass(slots=True)  # Freezing would take four times as long, for every request.
class Outcome:
    """The result of a request. There is no response if the client has disconnected."""

    response: Response | None
    details: CallDetails


def _check_head(request: Request) -> None:
    """Reject heads that servers accept but that can be read in two ways (smuggling, host confusion)."""
    if len(request.headers) != len(request.scope["headers"]):
        names = [name for name, _ in request.scope["headers"]]
        for name in _SINGLE:
            if names.count(name) > 1:
                raise BadRequest(f"more than one {name.decode()} header")
    if not request.headers.get(b"host"):  # Granian turns a missing header into an empty one
        raise BadRequest("no host header")
    if not request.path.startswith("/") or "\0" in request.path:
        raise BadRequest("invalid path")
