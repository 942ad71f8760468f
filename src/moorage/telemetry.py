"""What the program tells its operator: one JSON line a request, one for each fault of ours, never a secret.

Lines hold the path, not the query: tokens travel there. They are collected and written a few times a second, since a
system call for each would cost as much as the look-ups of a pull; a fault is written at once.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import time
import traceback
from typing import Final, Protocol

import msgspec

_FLUSH_SECONDS: Final = 0.2
_FLUSH_BYTES: Final = 1 << 16


class LoggedRequest(Protocol):
    """What a log line has of a request."""

    id: str
    method: str
    path: str
    client: str


class LoggedDetails(Protocol):
    """What a log line has of the call that the request was."""

    operation: str
    caller_name: str


class RequestIds:
    """Ids of the form that AWS gives requests, unique over processes: a random part each, then a count."""

    def __init__(self) -> None:
        text = secrets.token_hex(10)
        self._prefix = f"{text[:8]}-{text[8:12]}-4{text[12:15]}-8{text[15:18]}-"
        self._count = secrets.randbits(32)

    def next(self) -> str:
        self._count += 1
        return f"{self._prefix}{self._count & 0xFFFFFFFFFFFF:012x}"


class Log:
    """Structured lines on standard error. Requests are logged on the event loop, which also flushes them."""

    def __init__(self, *, requests: bool = True, descriptor: int | None = None) -> None:
        self._requests = requests
        self._descriptor = sys.stderr.fileno() if descriptor is None else descriptor
        self._lines: list[bytes] = []
        self._size = 0
        self._flush_at: asyncio.TimerHandle | None = None

    def request(self, request: LoggedRequest, details: LoggedDetails, status: int, seconds: float) -> None:
        """One line a request, unless switched off."""
        if not self._requests:
            return
        line = {
            "time": round(time.time(), 3),
            "request": request.id,
            "method": request.method,
            "path": request.path,
            "operation": details.operation,
            "caller": details.caller_name,
            "client": request.client,
            "status": status,
            "ms": round(seconds * 1000, 3),
        }
        self._add(msgspec.json.encode(line))

    def fault(self, request_id: str, operation: str) -> None:
        """The exception that is being handled, which is an internal error, with the id of its request."""
        self.event("fault", request=request_id, operation=operation, trace=traceback.format_exc())

    def event(self, name: str, **facts: str | float | bool) -> None:
        """Something that an operator wants to know, at once."""
        self._lines.append(msgspec.json.encode({"time": round(time.time(), 3), "event": name, **facts}))
        self.flush()

    def flush(self) -> None:
        """Write what is collected."""
        if self._flush_at is not None:
            self._flush_at.cancel()
            self._flush_at = None
        lines, self._lines, self._size = self._lines, [], 0
        if lines:
            os.write(self._descriptor, b"\n".join(lines) + b"\n")

    def _add(self, line: bytes) -> None:
        self._lines.append(line)
        self._size += len(line)
        if self._size > _FLUSH_BYTES:
            self.flush()
        elif self._flush_at is None:
            self._flush_at = asyncio.get_running_loop().call_later(_FLUSH_SECONDS, self.flush)
