"""A scanner with Harbor's scanner-adapter API 1.2, which finds the same in every image, or misbehaves."""

from __future__ import annotations

import http.client
import itertools
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

REPORT = "application/vnd.security.vulnerability.report; version=1.1"
UPDATED = "2026-01-02T03:04:05Z"
FOUND = {
    "id": "CVE-2099-0001",
    "package": "libssl3",
    "version": "3.0.11-1~deb12u2",
    "fix_version": "3.0.13-1~deb12u1",
    "severity": "High",
    "description": "A made-up flaw in openssl.",
    "links": ["https://advisories.example/CVE-2099-0001"],
    "preferred_cvss": {
        "score_v3": 9.8,
        "score_v2": None,
        "vector_v3": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
        "vector_v2": "",
    },
    "cwe_ids": [],
}


class Adapter(ThreadingHTTPServer):
    """`reports` are the answers to requests for a report, the last one again and again. `requests` are the scans."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.pulled: list[int] = []
        self.pulls = False
        self.types = [REPORT]
        self.accepts: tuple[int, bytes] = (202, b'{"id": "scan-1"}')
        self.reports: list[tuple[int, bytes]] = [
            (302, b""),
            (200, json.dumps({"severity": "High", "vulnerabilities": [FOUND]}).encode()),
        ]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def pull(self, request: dict[str, Any]) -> None:
        """Pull the manifest of an image and of one in another repository, with the login of the request."""
        place, artifact = urlsplit(request["registry"]["url"]), request["artifact"]
        for repository in (artifact["repository"], "elsewhere"):
            connection = http.client.HTTPConnection(place.netloc, timeout=30)
            headers = {"authorization": request["registry"]["authorization"], "accept": artifact["mime_type"]}
            connection.request("GET", f"/v2/{repository}/manifests/{artifact['digest']}", headers=headers)
            self.pulled.append(connection.getresponse().status)
            connection.close()


class _Handler(BaseHTTPRequestHandler):
    server: Adapter
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """The metadata, and reports."""
        self.server.headers.append({name.lower(): value for name, value in self.headers.items()})
        if self.path == "/api/v1/metadata":
            metadata = {
                "scanner": {"name": "Odd", "vendor": "Example", "version": "1.2"},
                "capabilities": [{"consumes_mime_types": [], "produces_mime_types": self.server.types}],
                "properties": {"harbor.scanner-adapter/vulnerability-database-updated-at": UPDATED},
            }
            self._answer(200, json.dumps(metadata).encode())
            return
        reports = self.server.reports
        status, body = reports.pop(0) if len(reports) > 1 else reports[0]
        self._answer(status, body, {"Refresh-After": "0", "Location": self.path} if status == 302 else {})

    def do_POST(self) -> None:
        """A scan."""
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.requests.append(request)
        if self.server.pulls:
            self.server.pull(request)
        self._answer(*self.server.accepts)

    def log_message(self, *_: object) -> None:
        """Log nothing: tests look at the requests."""

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in itertools.chain((headers or {}).items(), {"Content-Length": str(len(body))}.items()):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def running_adapter() -> Iterator[Adapter]:
    adapter = Adapter()
    threading.Thread(target=adapter.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield adapter
    finally:
        adapter.shutdown()
        adapter.server_close()
