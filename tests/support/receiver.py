"""A receiver of webhooks: a real HTTP server on a loopback port, whose answers the tests choose."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from tests.support.waiting import wait_until


class Message(NamedTuple):
    """A message as it arrived. `headers` have lower-case names. `status` is the status of the response."""

    path: str
    headers: dict[str, str]
    body: bytes
    status: int

    @property
    def event(self) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(self.body)
        return event

    @property
    def detail(self) -> dict[str, Any]:
        detail: dict[str, Any] = self.event["detail"]
        return detail


class Receiver:
    """`answers` are the statuses of the next responses; all others have 200. `delay` is the delay of each response.

    After `hold`, no message is answered until `release`. `arrived` has the bodies of all messages, answered or not.
    """

    def __init__(self, port: int = 0) -> None:
        self.messages: list[Message] = []
        self.arrived: list[bytes] = []
        self.answers: deque[int] = deque()
        self.delay = 0.0
        self.connections = 0
        self._go_on = threading.Event()
        self._go_on.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                receiver.connections += 1
                super().setup()

            def do_POST(self) -> None:
                receiver.take(self)

            def log_message(self, *_: object) -> None:
                """Log nothing: tests read `messages`."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook?from=moorage"

    def take(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["content-length"]))
        self.arrived.append(body)
        time.sleep(self.delay)
        self._go_on.wait()
        status = self.answers.popleft() if self.answers else 200
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.messages.append(Message(request.path, headers, body, status))
        request.send_response(status)
        if 300 <= status < 400:
            request.send_header("Location", self.url + "&redirected=yes")
        request.send_header("Content-Length", "0")
        request.end_headers()

    def hold(self) -> None:
        self._go_on.clear()

    def release(self) -> None:
        self._go_on.set()

    def accepted(self) -> list[Message]:
        return [message for message in self.messages if message.status == 200]

    def wait_for(self, number: int) -> list[Message]:
        """Return the accepted messages when there are this many. Raises AssertionError when there never are."""
        wait_until(lambda: len(self.accepted()) >= number)
        return self.accepted()

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def receiving(port: int = 0) -> Iterator[Receiver]:
    one = Receiver(port)
    one.start()
    try:
        yield one
    finally:
        one.stop()
