"""Requests, responses and outcomes, kept small because thousands of pulls per second use them.

A request is never changed. What becomes known while it is served (operation, caller, parameters) is in the outcome,
for the log, metrics, traces and the audit log.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, unquote_to_bytes

from moorage.domain.errors import LimitExceeded, Refusal
from moorage.domain.identity.callers import Caller
from moorage.http.bodies import RequestBody

Headers = list[tuple[bytes, bytes]]

_SINGLE = (b"host", b"authorization", b"content-length", b"content-type", b"content-range", b"x-amz-target")

CLOSE: Final = (b"connection", b"close")
"""The header of a response after which the server closes the connection."""

RETRY_SECONDS: Final = 10
"""The number of seconds in Retry-After while the registry cannot store anything."""


class BadRequest(Exception):
    """The head of the request is ambiguous or not valid HTTP; the text is for the client."""


class RequestHead:
    """The head of a request as it arrived: request line and header lines, and who sent it over which transport.

    `target` is the path with the query, as sent. Names of headers have lower case. `is_from_proxy`: a trusted proxy
    sent it. `reached_at` has the scheme and host that this proxy was called at (`forwarding.py`).
    """

    __slots__ = ("client", "headers", "is_from_proxy", "method", "reached_at", "scheme", "target", "version")

    def __init__(self, method: str, target: bytes, headers: Headers, version: str = "1.1") -> None:
        self.method = method
        self.target = target
        self.headers = headers
        self.version = version
        self.scheme = "http"
        self.client = ""
        self.is_from_proxy = False
        self.reached_at: tuple[str, str] | None = None


class Request:
    """A request: its head, and its body as it arrives. Never changed after its creation.

    `header_lines` has all header lines, `headers` one value for each name. `raw_path` is the path as sent, `path` is
    decoded. `client` is the client's address. `is_from_proxy`: a trusted proxy sent the request; `reached_at` has the
    scheme and host that this proxy was called at.
    `share` is the share of the server that the request takes (`shares/`).
    """

    __slots__ = (
        "_parsed",
        "body",
        "client",
        "header_lines",
        "headers",
        "id",
        "is_from_proxy",
        "method",
        "path",
        "query",
        "raw_path",
        "reached_at",
        "scheme",
        "share",
    )

    def __init__(self, head: RequestHead, body: RequestBody, request_id: str, share: str = "") -> None:
        """Raises BadRequest."""
        self.share = share
        self.id = request_id
        self.body = body
        self.method = head.method
        self.scheme = head.scheme
        self.client = head.client
        self.is_from_proxy = head.is_from_proxy
        self.reached_at = head.reached_at
        self.header_lines = head.headers
        self.headers: dict[bytes, bytes] = dict(head.headers)
        self.raw_path, _, self.query = _origin_form(head.target).partition(b"?")
        self.path = _decoded(self.raw_path)
        self._parsed: list[tuple[str, str]] | None = None
        _check_head(self, head.version)

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
        """The parameters, parsed once: the handler needs them, and the audit log."""
        if self._parsed is None:
            query = self.query.decode("latin-1")
            self._parsed = parse_qsl(query, keep_blank_values=True, max_num_fields=100) if query else []
        return self._parsed


@dataclass(slots=True)
class FilePart:
    """Bytes of an open file that are to be sent, from `start`. The server closes `descriptor`."""

    descriptor: int
    start: int


@dataclass(slots=True)
class Response:
    """Either `body`, `file` or `stream` is sent. `size` is the length of a stream, or of the part of a file."""

    status: int
    headers: Headers = field(default_factory=list)
    body: bytes = b""
    file: FilePart | None = None
    stream: AsyncIterator[bytes] | None = None
    size: int = 0


Send = Callable[[Response], Coroutine[Any, Any, None]]
"""Sends a response. Raises ClientGone."""


@dataclass(slots=True)
class CallDetails:
    """What is known of a call so far. A refusal or a fault can end it at any step.

    `caller` is the authenticated caller, and `caller_name` its name in logs: an access key id or an ARN. `parameters`
    are the members of the operation's request. `exceeded_limit` is set if a quota or another limit refused the request,
    `is_from_console` if the session of a browser authenticated it.
    """

    operation: str = ""
    caller: Caller | None = None
    caller_name: str = ""
    parameters: dict[str, Any] | None = None
    exceeded_limit: bool = False
    is_from_console: bool = False

    def refused(self, refusal: Refusal) -> None:
        """Note what the refusal means for the caller's turns (`shares/turns.py`)."""
        self.exceeded_limit = isinstance(refusal, LimitExceeded)


@dataclass(slots=True)  # Freezing would take four times as long, for every request.
class Outcome:
    """The result of a request. There is no response if the client has disconnected."""

    response: Response | None
    details: CallDetails


def _origin_form(target: bytes) -> bytes:
    """The path and query of a target, which proxies may send as a whole URL (RFC 9112, section 3.2.2)."""
    if target.startswith((b"http://", b"https://")):
        _, slash, rest = target.partition(b"//")[2].partition(b"/")
        return slash + rest
    return target


def _decoded(raw_path: bytes) -> str:
    """The path without percent encoding. Raises BadRequest if it is not UTF-8."""
    try:
        return (unquote_to_bytes(raw_path) if b"%" in raw_path else raw_path).decode()
    except UnicodeDecodeError:
        raise BadRequest("invalid path") from None


def _check_head(request: Request, version: str) -> None:
    """Reject heads that servers accept but that can be read in two ways (smuggling, host confusion)."""
    if len(request.headers) != len(request.header_lines):
        names = [name for name, _ in request.header_lines]
        for name in _SINGLE:
            if names.count(name) > 1:
                raise BadRequest(f"more than one {name.decode()} header")
    if not request.headers.get(b"host"):
        if version != "1.0":
            raise BadRequest("no host header")
        request.headers[b"host"] = b""
    if not request.path.startswith("/") or "\0" in request.path:
        raise BadRequest("invalid path")
