"""Messages to receivers outside, over HTTP/1.1: no redirects, no proxies, limits on time and on what is read.

The standard library's client blocks, so each message is sent from a thread of its own, which ends with the process.
"""

from __future__ import annotations

import asyncio
import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

from moorage.domain.ports import Line, Unreachable

_STEP_SECONDS: Final = 10
"""How long connecting, and each wait for bytes, may take."""

_ANSWER_LIMIT: Final = 1 << 16
"""Bytes of an answer that are read so that the connection can be used again; nobody looks at them."""


class HttpCourier:
    """Opens lines. Certificates are checked against the system's authorities (`SSL_CERT_FILE` names others)."""

    def __init__(self) -> None:
        self._context: ssl.SSLContext | None = None

    def line(self, url: str) -> Line:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme == "http":
            connection = http.client.HTTPConnection(host, parts.port, timeout=_STEP_SECONDS)
        else:
            if self._context is None:  # Reading the authorities takes a while, and is done once.
                self._context = ssl.create_default_context()
            connection = http.client.HTTPSConnection(host, parts.port, timeout=_STEP_SECONDS, context=self._context)
        return HttpLine(connection, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))


class HttpLine:
    """One connection to one receiver, opened by the first message, and again when the receiver has closed it."""

    def __init__(self, connection: http.client.HTTPConnection, target: str) -> None:
        self._connection = connection
        self._target = target
        self._closed = False

    async def post(self, body: bytes, headers: Mapping[str, str]) -> int:
        try:
            return await _in_thread(lambda: self._post(body, headers))
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise Unreachable(_reason(error)) from None
        except asyncio.CancelledError:
            self.close()
            raise

    def close(self) -> None:
        """Wakes a thread that waits for an answer, too."""
        self._closed = True
        with suppress(OSError):
            if self._connection.sock is not None:
                self._connection.sock.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def _post(self, body: bytes, headers: Mapping[str, str]) -> int:
        used_before = self._connection.sock is not None
        try:
            return self._exchange(body, headers)
        except (ConnectionError, http.client.BadStatusLine):
            # A receiver may close a connection that it has not heard of for a while.
            if not used_before or self._closed:
                raise
            self._connection.close()
            return self._exchange(body, headers)

    def _exchange(self, body: bytes, headers: Mapping[str, str]) -> int:
        self._connection.request("POST", self._target, body, dict(headers))
        response = self._connection.getresponse()
        response.read(_ANSWER_LIMIT)
        if not response.isclosed():
            self._connection.close()
        return response.status


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {_STEP_SECONDS} seconds"
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return f"no HTTP: {type(error).__name__}"


async def _in_thread(work: Callable[[], int]) -> int:
    """Run `work` in a thread that does not keep the process from ending, as those of an executor would."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[int] = loop.create_future()

    def tell(set_outcome: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # The loop is closed: nobody waits any more.
            loop.call_soon_threadsafe(lambda: None if done.done() else set_outcome())

    def run() -> None:
        try:
            status = work()
        except Exception as error:  # noqa: BLE001 - handed to whoever waits
            reason = error
            tell(lambda: done.set_exception(reason))
        else:
            tell(lambda: done.set_result(status))

    threading.Thread(target=run, daemon=True, name="courier").start()
    return await done
