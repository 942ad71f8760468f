"""HTTP by hand on a socket: invalid heads, truncated bodies, and connections that end in any way."""

from __future__ import annotations

import re
import socket
import struct
import time
from collections.abc import Mapping
from types import TracebackType
from typing import NamedTuple, Self

from tests.support.server import Server


class Reply(NamedTuple):
    """Everything that was received: the statuses of the responses, the bytes, and the state of the connection."""

    statuses: list[int]
    content: bytes
    closed: bool


class Connection:
    """One connection to a server, closed at the end of the block."""

    def __init__(self, server: Server) -> None:
        self.socket = socket.create_connection((server.host, server.port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def send(self, content: bytes) -> None:
        self.socket.sendall(content)

    def half_close(self) -> None:
        """Send nothing more. Responses can still be read."""
        self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.socket.close()

    def reset(self) -> None:
        """End the connection with a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def reply(self, seconds: float = 0.5, first_seconds: float = 60) -> Reply:
        """What arrives until the server closes the connection, or until nothing has arrived for `seconds`."""
        pieces, closed = [], False
        self.socket.settimeout(first_seconds)
        try:
            while piece := self.socket.recv(1 << 16):
                pieces.append(piece)
                self.socket.settimeout(seconds)
            closed = True
        except TimeoutError:
            pass
        except ConnectionError:
            closed = True
        content = b"".join(pieces)
        statuses = [int(code) for code in re.findall(rb"HTTP/1\.[01] (\d{3})", content)]
        return Reply(statuses, content, closed)

    def first_line(self, seconds: float = 60) -> bytes:
        """The status line of a response, or nothing if the connection ends without one."""
        self.socket.settimeout(seconds)
        line = b""
        while not line.endswith(b"\r\n"):
            byte = self.socket.recv(1)
            if not byte:
                break
            line += byte
        return line.strip()

    def seconds_until_closed(self, most: float) -> float:
        """How long the server keeps the connection open. Raises AssertionError after `most` seconds."""
        started = time.monotonic()
        self.socket.settimeout(most)
        try:
            while self.socket.recv(1 << 16):
                pass
        except TimeoutError:
            raise AssertionError(f"still open after {most} s") from None
        except ConnectionError:
            pass
        return time.monotonic() - started


def head(method: str, path: str, headers: Mapping[str, str | int]) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def exchange(server: Server, content: bytes, first_seconds: float = 60, seconds: float = 0.5) -> Reply:
    """Send this on a new connection, and read the response, which may take `first_seconds` to begin."""
    with Connection(server) as connection:
        try:
            connection.send(content)
        except ConnectionError:
            return Reply([], b"", closed=True)
        return connection.reply(seconds, first_seconds)
