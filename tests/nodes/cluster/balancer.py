"""A simple load balancer: requests go round-robin to the nodes that are ready, and none is retried.

It keeps connections to nodes open, as real ones do, so tests notice a node that closes a connection in use.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.http_client import Docker
from tests.support.server import Server
from tests.support.waiting import PATIENCE_SECONDS

_LOOK_SECONDS = 0.1


class Handler(BaseHTTPRequestHandler):
    """One client's connection, with its own connections to each node."""

    protocol_version = "HTTP/1.1"
    server: Balancer

    def setup(self) -> None:
        super().setup()
        self._upstream: dict[int, http.client.HTTPConnection] = {}

    def finish(self) -> None:
        super().finish()
        for connection in self._upstream.values():
            connection.close()

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        port = self.server.next_port()
        connection = self._upstream.setdefault(port, http.client.HTTPConnection("127.0.0.1", port, timeout=30))
        try:
            connection.request(self.command, self.path, body, dict(self.headers.items()))
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.server.failures.append(f"{self.command} {self.path}: {error!r}")
            self.send_error(502)
            return
        self.send_response_only(response.status)
        for name, value in response.getheaders():
            if name.lower() not in {"connection", "transfer-encoding", "content-length"}:
                self.send_header(name, value)
        length = response.headers["content-length"] if self.command == "HEAD" else str(len(content))
        self.send_header("Content-Length", length or "0")
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = do_PATCH = handle_any  # noqa: N815 - names that http.server calls

    def log_message(self, *_: Any) -> None:
        """Nothing: the output belongs to the tests."""


class Balancer(ThreadingHTTPServer):
    """`ready` has the ports of nodes that were ready at the last check. `failures` lists requests without a node's
    response.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.port = int(self.server_address[1])
        self.nodes: list[Server] = []
        self.ready: list[int] = []
        self.failures: list[str] = []
        self._lock = threading.Lock()
        self._turn = 0

    def next_port(self) -> int:
        with self._lock:
            self._turn += 1
            return self.ready[self._turn % len(self.ready)]

    def look(self) -> None:
        """Check which nodes are ready."""
        ready = [node.port for node in self.nodes if _is_ready(node)]
        with self._lock:
            self.ready = ready

    def wait_for(self, number: int) -> None:
        """Wait until so many nodes are ready."""
        end = time.monotonic() + PATIENCE_SECONDS
        while len(self.ready) != number:
            assert time.monotonic() < end, f"{self.ready} take requests, not {number}"
            time.sleep(0.02)


@contextmanager
def balancer_of(*nodes: Server) -> Iterator[Balancer]:
    with Balancer() as balancer:
        balancer.nodes = list(nodes)
        balancer.look()
        ended = threading.Event()

        def look_again() -> None:
            while not ended.wait(_LOOK_SECONDS):
                balancer.look()

        threads = [threading.Thread(target=run, daemon=True) for run in (look_again, balancer.serve_forever)]
        for thread in threads:
            thread.start()
        yield balancer
        ended.set()
        balancer.shutdown()
        for thread in threads:
            thread.join()


def _is_ready(node: Server) -> bool:
    try:
        return Docker(node.host, node.port, None).get("/readyz").status == 200
    except (OSError, http.client.HTTPException):
        return False
