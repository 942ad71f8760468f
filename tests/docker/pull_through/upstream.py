"""An upstream registry of the tests: it serves images from memory, counts requests, and misbehaves on demand."""

from __future__ import annotations

import itertools
import json
import math
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.images import OCI_INDEX, Blob, Image, digest
from tests.support.waiting import PATIENCE_SECONDS

_CHUNK = 64 << 10


class Upstream:
    """The registry. `seen` counts requests by method and path.

    `wrong` replaces the bytes of a blob, `refused` the answer to a path by a status. Blobs stop after `pause_after`
    bytes until `go_on` is set, and with `holds_manifests` manifests wait for it.
    """

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self._times: list[tuple[str, float]] = []
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, Blob] = {}
        self.referrers: dict[str, list[dict[str, Any]]] = {}
        self.wrong: dict[str, bytes] = {}
        self.refused: dict[str, int] = {}
        self.status = 0
        self.headers: dict[str, str] = {}
        self.pause_after: int | None = None
        self.holds_manifests = False
        self.go_on = threading.Event()
        self.paused = threading.Event()
        self.port = 0

    def put(self, one: Image, *tags: str) -> Image:
        """Serve an image, in every repository."""
        self.blobs |= {blob.digest: blob.content for blob in one.blobs}
        self.manifests |= dict.fromkeys((one.manifest.digest, *tags), one.manifest)
        return one

    def reset(self) -> None:
        """Behave well again, and forget the requests so far."""
        self.resume()
        self.seen.clear()
        self._times.clear()
        self.wrong, self.refused, self.status, self.headers = {}, {}, 0, {}

    def number(self, method: str, path: str) -> int:
        """How many requests had this method, and a path that ends so."""
        return sum(count for line, count in self.seen.items() if line.startswith(method) and line.endswith(path))

    def about(self, name: str) -> int:
        """How many requests were about a repository. Others may be of earlier tests, whose fetches go on."""
        return sum(count for line, count in self.seen.items() if f"/{name}/" in line)

    def shortest_gap(self, method: str, part: str) -> float:
        """The least seconds between two requests with this method, and this part in their path."""
        times = [at for line, at in list(self._times) if line.startswith(method) and part in line]
        return min((after - before for before, after in itertools.pairwise(times)), default=math.inf)

    def pause(self, after: int) -> None:
        """Let every blob stop after so many bytes, until `resume`."""
        self.go_on.clear()
        self.paused.clear()
        self.pause_after = after

    def hold_manifests(self) -> None:
        """Answer no request for a manifest until `resume`."""
        self.go_on.clear()
        self.paused.clear()
        self.holds_manifests = True

    def wait_until_paused(self) -> None:
        assert self.paused.wait(PATIENCE_SECONDS)

    def resume(self) -> None:
        self.pause_after = None
        self.holds_manifests = False
        self.go_on.set()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = handler.path.partition("?")[0]
        self.seen[f"{handler.command} {path}"] += 1
        self._times.append((f"{handler.command} {path}", time.monotonic()))
        _, kind, reference = path.rsplit("/", 2) if path.count("/") > 3 else ("", "", "")
        status = self.status or next((code for end, code in self.refused.items() if path.endswith(end)), 0)
        if status:
            self._send(handler, status, b"{}", "application/json")
        elif kind == "manifests" and reference in self.manifests:
            if self.holds_manifests:
                self.paused.set()
                self.go_on.wait()
            self._send_manifest(handler, self.manifests[reference])
        elif kind == "blobs" and reference in self.blobs:
            self._send_blob(handler, self.wrong.get(reference, self.blobs[reference]))
        elif kind == "referrers":
            index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": self.referrers.get(reference, [])}
            self._send(handler, 200, json.dumps(index).encode(), OCI_INDEX)
        else:
            self._send(handler, 404, b'{"errors": []}', "application/json")

    def _send_manifest(self, handler: BaseHTTPRequestHandler, manifest: Blob) -> None:
        handler.send_response(200)
        handler.send_header("Docker-Content-Digest", digest(manifest.content))
        self._finish(handler, manifest.content, manifest.media_type)

    def _send(self, handler: BaseHTTPRequestHandler, status: int, body: bytes, kind: str) -> None:
        handler.send_response(status)
        self._finish(handler, body, kind)

    def _finish(self, handler: BaseHTTPRequestHandler, body: bytes, kind: str) -> None:
        for name, value in self.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(body)

    def _send_blob(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "application/octet-stream")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        for start in range(0, len(body), _CHUNK):
            if self.pause_after is not None and start >= self.pause_after:
                self.paused.set()
                self.go_on.wait()
            handler.wfile.write(body[start : start + _CHUNK])


@contextmanager
def running(upstream: Upstream) -> Iterator[Upstream]:
    """The registry on a loopback port, in threads of this process."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            upstream.answer(self)

        def do_HEAD(self) -> None:
            upstream.answer(self)

        def log_message(self, *_: Any) -> None:
            """Do not log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    upstream.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield upstream
    finally:
        upstream.resume()
        server.shutdown()
        thread.join()
        server.server_close()
