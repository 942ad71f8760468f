"""A real HTTP proxy in front of the object store. It injects faults of networks and stores."""

from __future__ import annotations

import http.client
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_HOST = "127.0.0.1"
_SILENCE_SECONDS = 2.5


class Handler(BaseHTTPRequestHandler):
    """Forwards a request, or applies a fault to it."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except OSError:  # the client closed the connection, as some faults make it do
            self.close_connection = True

    def handle_any(self) -> None:
        fault = self.server.plan.next(self.command, self.path)
        if fault is None:
            self.send(*self.forwarded())
        else:
            fault(self)

    do_GET = do_PUT = do_POST = do_PATCH = do_HEAD = do_DELETE = handle_any  # noqa: N815 - names that http.server calls

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def forwarded(self) -> tuple[int, list[tuple[str, str]], bytes]:
        """The store's response to this request."""
        connection = http.client.HTTPConnection(_HOST, self.server.upstream, timeout=60)
        try:
            connection.request(self.command, self.path, self.body(), dict(self.headers.items()))
            response = connection.getresponse()
            return response.status, response.getheaders(), response.read()
        finally:
            connection.close()

    def send(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        names = {name.lower() for name, _ in headers}
        for name, value in headers:
            if name.lower() != "transfer-encoding":
                self.send_header(name, value)
        if "content-length" not in names:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def reset(self) -> None:
        """Reset the connection, as a crashed machine does."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


Fault = Callable[[Handler], None]


@dataclass
class _Planned:
    method: str
    part: str
    fault: Fault
    times: int


class _Plan:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._planned: list[_Planned] = []
        self.hits = 0

    def add(self, planned: _Planned) -> None:
        with self._lock:
            self._planned.append(planned)

    def clear(self) -> None:
        with self._lock:
            self._planned.clear()

    def next(self, method: str, path: str) -> Fault | None:
        with self._lock:
            for planned in self._planned:
                if planned.times > 0 and method == planned.method and planned.part in path:
                    planned.times -= 1
                    self.hits += 1
                    return planned.fault
        return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, upstream: int) -> None:
        super().__init__((_HOST, 0), Handler)
        self.upstream = upstream
        self.plan = _Plan()


class Proxy:
    """`fail` sets a fault for requests of a method that have `part` in their path or query. `heal` ends all faults."""

    def __init__(self, server: _Server) -> None:
        self._server = server
        self.port = int(server.server_address[1])

    @property
    def hits(self) -> int:
        """The number of requests that met a fault."""
        return self._server.plan.hits

    def fail(self, method: str, part: str, fault: Fault, times: int = 1_000_000) -> None:
        self._server.plan.add(_Planned(method, part, fault, times))

    def heal(self) -> None:
        self._server.plan.clear()


@contextmanager
def proxy_before(port: int) -> Iterator[Proxy]:
    with _Server(port) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield Proxy(server)
        server.shutdown()
        thread.join()


def answer(status: int, code: str = "") -> Fault:
    """The store does nothing and sends this status, with an error document if there is a code."""

    def fault(handler: Handler) -> None:
        handler.body()
        document = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>" if code else ""
        handler.send(status, [("Content-Type", "application/xml")], document.encode())

    return fault


def lose_answer(handler: Handler) -> None:
    """The store serves the request, but the connection breaks before the response."""
    handler.forwarded()
    handler.reset()


def answer_500_when_done(handler: Handler) -> None:
    """The store serves the request, but reports that it failed."""
    handler.forwarded()
    handler.send(500, [], b"")


def cut_request(handler: Handler) -> None:
    """The connection breaks in the middle of the request."""
    handler.rfile.read(int(handler.headers.get("content-length", 0)) // 2)
    handler.reset()


def cut_answer(handler: Handler) -> None:
    """The connection breaks in the middle of the response."""
    status, headers, body = handler.forwarded()
    handler.send_response_only(status)
    for name, value in headers:
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body[: len(body) // 2])
    handler.wfile.flush()
    time.sleep(0.05)
    handler.reset()


def be_silent(handler: Handler) -> None:
    """The store sends no response."""
    handler.body()
    time.sleep(_SILENCE_SECONDS)
    handler.reset()


def reset(handler: Handler) -> None:
    """The connection breaks at once."""
    handler.reset()
