"""Requests, responses and outcomes, with little overhead: a pull passes here thousands of times a second.

A request is only read. What becomes known while it is served (operation, caller, parameters) is in the outcome, where
the log, metrics, traces and the audit log find it.
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
"""What a client is told to wait for when the registry cannot store anything at the moment."""

REACHED_AT = "moorage.reached_at"
"""The member of a scope that a trusted proxy's headers bring (`forwarding.py`)."""


class BadRequest(Exception):
    """The head of the request is ambiguous or no HTTP that we take; the text is for the client."""


class Request:
    """The head of a request, and its body as it arrives. Nothing is written into it.

    `client` is the address of the client, and `reached_at` the scheme and host by which a trusted proxy was called.
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
        """The body, as it arrives; a pull never looks at it."""
        if self._body is None:
            self._body = RequestBody(self._receive, self.headers.get(b"content-length"), self._read_ahead)
        return self._body

    def header(self, name: bytes) -> str | None:
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    def parameters(self) -> dict[str, str]:
        """Query parameters; of one that is repeated, the first. Raises ValueError beyond 100 of them."""
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
    """Exactly one of `body`, `file` and `stream` is what is sent; `size` is the length of a stream or file."""

    status: int
    headers: Headers = field(default_factory=list)
    body: bytes = b""
    file: Path | None = None
    stream: AsyncIterator[bytes] | None = None
    size: int = 0


@dataclass(slots=True)
class CallDetails:
    """What is known of a call, as far as it got: a refusal or a fault may end it at any step.

    `caller` is the authenticated caller, and `caller_name` how logs name it: by access key id or ARN. `parameters` are
    the members of the operation's request.
    """

    operation: str = ""
    caller: Caller | None = None
    caller_name: str = ""
    parameters: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request. There is no response for a client that is gone."""

    response: Response | None
    details: CallDetails


def _check_head(request: Request) -> None:
    """Refuse what servers let through although two readers could read it in two ways (smuggling, host confusion)."""
    if len(request.headers) != len(request.scope["headers"]):
        names = [name for name, _ in request.scope["headers"]]
        for name in _SINGLE:
            if names.count(name) > 1:
                raise BadRequest(f"more than one {name.decode()} header")
    if not request.headers.get(b"host"):  # Granian makes an empty one of none.
        raise BadRequest("no host header")
    if not request.path.startswith("/") or "\0" in request.path:
        raise BadRequest("the path is not one")
