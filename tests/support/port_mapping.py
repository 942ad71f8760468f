"""A port mapping, as `docker run -p` and `ssh -L` make it: a TCP forwarder on another loopback port."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer

_HOST = "127.0.0.1"
_CHUNK_BYTES = 65_536


class _Mapping(ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__((_HOST, 0), _Connection)
        self.port = port


class _Connection(BaseRequestHandler):
    """Copies both directions of a connection until both have ended."""

    request: socket.socket
    server: _Mapping

    def handle(self) -> None:
        with socket.create_connection((_HOST, self.server.port)) as target:
            answers = threading.Thread(target=_copy, args=(target, self.request), daemon=True)
            answers.start()
            _copy(self.request, target)
            answers.join()


@contextmanager
def mapped_port(port: int) -> Iterator[int]:
    """A port whose connections lead to another port of this machine, byte for byte."""
    with _Mapping(port) as mapping:
        thread = threading.Thread(target=mapping.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield int(mapping.server_address[1])
        mapping.shutdown()
        thread.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    """Copy one direction until its end, and pass the end on."""
    with suppress(OSError):
        while chunk := source.recv(_CHUNK_BYTES):
            target.sendall(chunk)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
