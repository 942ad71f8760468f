"""Parsing of HTTP/1.1 requests (RFC 9112): heads, and the framing of chunked bodies.

llhttp (through httptools) does the parsing. It rejects ambiguous framing: both Content-Length and Transfer-Encoding,
bare line feeds, folded lines, malformed chunk sizes. This module adds the limits, which llhttp does not have.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import httptools

from moorage.http.messages import Headers, RequestHead

HEAD_BYTES: Final = 64 << 10
"""The largest head. An unfinished one can exceed it by one read of the socket. Tokens have up to 8 KiB."""

_HEAD_LINES: Final = 100
_TOO_LARGE: Final = "the head of the request is too large"
_CHUNKED_HEAD: Final = b"PUT / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"


class MalformedRequest(Exception):
    """The bytes are not a request of HTTP/1.1 within the limits. `status` is the status of the response."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class IncomingRequest:
    """A request as far as it has arrived.

    `content_length` is None for a chunked body. `pieces` has the bytes of the body that were parsed and not yet read;
    `missing` is the number of bytes with a Content-Length that were not yet parsed. `is_complete` once the whole body
    was parsed.
    """

    __slots__ = ("content_length", "head", "is_complete", "keep_alive", "missing", "pieces")

    def __init__(self, head: RequestHead, content_length: int | None, *, keep_alive: bool) -> None:
        self.head = head
        self.content_length = self.missing = content_length
        self.keep_alive = keep_alive
        self.pieces: deque[bytes] = deque()
        self.is_complete = False


class RequestParser:
    """Parses the requests of one connection. `requests` has those whose heads are complete, in their order."""

    def __init__(self) -> None:
        self.requests: deque[IncomingRequest] = deque()
        self._target = b""
        self._headers: Headers = []
        self._body_of: IncomingRequest | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._upgraded: IncomingRequest | None = None
        self._unparsed_bytes = 0  # since the last complete head or piece of a body
        self._may_exceed = False

    @property
    def is_idle(self) -> bool:
        """Whether no part of a next request has arrived."""
        return self._unparsed_bytes == 0 and self._body_of is None

    def feed(self, data: bytes) -> None:
        """Parse the next bytes of the connection. Raises MalformedRequest."""
        self._unparsed_bytes += len(data)
        # Bytes of one read can have the end of a body and a whole head.
        self._may_exceed = self._unparsed_bytes > HEAD_BYTES
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._ignore_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserCallbackError as error:
            cause = error.__context__
            raise (
                cause if isinstance(cause, MalformedRequest) else MalformedRequest(400, "malformed request")
            ) from None
        except httptools.HttpParserError as error:
            raise MalformedRequest(400, f"malformed request: {error}") from None
        if self._unparsed_bytes > HEAD_BYTES:
            raise MalformedRequest(431, _TOO_LARGE)

    def skip_body(self) -> None:
        """Continue after a body that was read from the connection without this parser."""
        self._parser = httptools.HttpRequestParser(self)
        self._body_of = None
        self._unparsed_bytes = 0

    def _ignore_upgrade(self, rest: bytes) -> None:
        """Continue with the body of a request to upgrade, which llhttp does not parse. RFC 9110 allows to ignore it."""
        request = self.requests[-1]
        if request.missing is None:
            self._parser = httptools.HttpRequestParser(self)
            self._upgraded = request
            self._parser.feed_data(_CHUNKED_HEAD)
        elif request.missing:
            body, rest = rest[: request.missing], rest[request.missing :]
            request.is_complete = False
            self._body_of = request
            self.on_body(body)
            if request.missing == 0:
                self.on_message_complete()
            self._parser = httptools.HttpRequestParser(self)
        if rest:
            self.feed(rest)

    # --- Callbacks of httptools -----------------------------------------------------------------------------------

    def on_url(self, target: bytes) -> None:
        self._target += target

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(self._headers) == _HEAD_LINES:
            raise MalformedRequest(431, "too many header lines")
        self._headers.append((name.lower(), value.strip()))

    def on_headers_complete(self) -> None:
        target, headers = self._target, self._headers
        if self._may_exceed and _size_of(target, headers) > HEAD_BYTES:
            raise MalformedRequest(431, _TOO_LARGE)
        self._target, self._headers = b"", []
        self._unparsed_bytes = 0
        if self._upgraded is not None:
            self._body_of, self._upgraded = self._upgraded, None
            self._body_of.is_complete = False
            return
        parser = self._parser
        head = RequestHead(parser.get_method().decode("ascii"), target, headers, parser.get_http_version())
        request = IncomingRequest(head, _content_length(headers), keep_alive=parser.should_keep_alive())
        self.requests.append(request)
        self._body_of = request

    def on_body(self, piece: bytes) -> None:
        request = self._body_of
        if request is None:
            return
        if request.missing is not None:
            request.missing -= len(piece)
        request.pieces.append(piece)
        self._unparsed_bytes = 0

    def on_message_complete(self) -> None:
        if self._body_of is not None:
            self._body_of.is_complete = True
        self._body_of = None
        self._headers = []  # of trailers, which are ignored
        self._unparsed_bytes = 0


def _size_of(target: bytes, headers: Headers) -> int:
    return len(target) + sum(len(name) + len(value) for name, value in headers)


def _content_length(headers: Headers) -> int | None:
    """The size of the body; None for a chunked one. Raises MalformedRequest for another transfer coding."""
    size = 0
    for name, value in headers:
        if name == b"content-length":
            size = int(value)
        elif name == b"transfer-encoding":
            if value.lower() != b"chunked":
                raise MalformedRequest(501, "the transfer coding is not supported")
            return None
    return size
