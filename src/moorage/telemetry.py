"""The log: one JSON line per request and per internal error, without secrets.

A line has the path of a request but not its query, which can contain tokens. Long texts are shortened. Lines are
written several times per second, because a system call for each would cost as much as the lookups of a pull. Internal
errors are written at once.
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

from moorage.bounds import TRACE_LIMIT, shortened

_FLUSH_SECONDS: Final = 0.2
_SELDOM_SECONDS: Final = 600.0
_SELDOM_EVENTS: Final = 64
"""How many different events `event_once` remembers."""
_FLUSH_BYTES: Final = 1 << 16


class LoggedRequest(Protocol):
    """A request, as far as a log line shows it."""

    id: str
    method: str
    path: str
    client: str


class LoggedDetails(Protocol):
    """The outcome of a request, as far as a log line shows it."""

    operation: str
    caller_name: str


class RequestIds:
    """Request ids in the form of AWS, unique across processes: a random part per process, then a counter."""

    def __init__(self) -> None:
        text = secrets.token_hex(10)
        self._prefix = f"{text[:8]}-{text[8:12]}-4{text[12:15]}-8{text[15:18]}-"
        self._count = secrets.randbits(32)

    def next(self) -> str:
        self._count += 1
        return f"{self._prefix}{self._count & 0xFFFFFFFFFFFF:012x}"


class Log:
    """Writes log lines to standard error. Requests are logged, and their lines flushed, on the event loop."""

    def __init__(self, *, requests: bool = True, descriptor: int | None = None) -> None:
        self._requests = requests
        self._descriptor = sys.stderr.fileno() if descriptor is None else descriptor
        self._lines: list[bytes] = []
        self._size = 0
        self._flush_at: asyncio.TimerHandle | None = None
        self._seldom: dict[tuple[object, ...], float] = {}

    def request(self, request: LoggedRequest, details: LoggedDetails, status: int, seconds: float) -> None:
        """Log a request, unless request lines are turned off. `seconds` is the time until the response was sent."""
        if not self._requests:
            return
        line = {
            "time": round(time.time(), 3),
            "request": request.id,
            "method": request.method,
            "path": shortened(request.path),
            "operation": shortened(details.operation),
            "caller": shortened(details.caller_name),
            "client": shortened(request.client),
            "status": status,
            "ms": round(seconds * 1000, 3),
        }
        self._add(msgspec.json.encode(line))

    def fault(self, request_id: str, operation: str) -> None:
        """Log the exception that is being handled as an internal error of a request."""
        self.event("fault", request=request_id, operation=operation, trace=traceback.format_exc())

    def event(self, name: str, **facts: str | float | bool) -> None:
        """Log an event at once."""
        texts = {key: shortened(fact, TRACE_LIMIT) for key, fact in facts.items() if isinstance(fact, str)}
        self._lines.append(msgspec.json.encode({"time": round(time.time(), 3), "event": name, **facts, **texts}))
        self.flush()

    def event_once(self, name: str, **facts: str | float | bool) -> None:
        """`event`, unless this process logged the same one in the last ten minutes: for what every request meets."""
        key, now = (name, *facts.values()), time.monotonic()
        if now - self._seldom.get(key, -_SELDOM_SECONDS) < _SELDOM_SECONDS:
            return
        if len(self._seldom) >= _SELDOM_EVENTS:
            self._seldom.clear()
        self._seldom[key] = now
        self.event(name, **facts)

    def flush(self) -> None:
        """Write the lines that wait."""
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
