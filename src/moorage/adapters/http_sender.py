"""Send events over HTTP/1.1: no redirects, no proxies, limits on time and on the bytes that are read.

The standard library's client blocks, so each message is sent from its own thread. It does not keep the process alive.
"""

from __future__ import annotations

import asyncio
import http.client
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final
from urllib.parse import SplitResult, urlsplit

from moorage.domain.ports import Message, MessageRejected, TargetConnection, TargetUnavailable, TargetUrlInvalid

_STEP_SECONDS: Final = 10
"""Time limit for connecting, and for each wait for bytes."""

_RESPONSE_LIMIT: Final = 1 << 16
"""Bytes of a response that are read, so that the connection can be used again. Their content is ignored."""

_RETRY_STATUSES: Final = frozenset({401, 407, 408, 409, 425, 429})
"""The statuses below 500 after which a message is sent again.

They are those that EventBridge retries for API destinations, and two that mean "not now" (408, 425).
"""

_USER_AGENT: Final = "moorage"


class HttpSender:
    """Sends messages to http and https URLs.

    Certificates are verified against the system's authorities, or those of the variable `SSL_CERT_FILE`.
    """

    def __init__(self) -> None:
        self._context: ssl.SSLContext | None = None

    def check(self, url: str) -> None:
        """Accept http and https URLs without credentials: lists show URLs. Raises TargetUrlInvalid."""
        parts = _split(url)
        if parts.username is not None or parts.fragment:
            raise TargetUrlInvalid("a URL with a user name or a fragment cannot be used; messages are signed instead")

    def connect(self, url: str) -> TargetConnection:
        """See `EventSender.connect`."""
        parts = _split(url)
        host = parts.hostname or ""
        if parts.scheme == "http":
            connection = http.client.HTTPConnection(host, parts.port, timeout=_STEP_SECONDS)
        else:
            if self._context is None:  # Loading the authorities is slow and is done once.
                self._context = ssl.create_default_context()
            connection = http.client.HTTPSConnection(host, parts.port, timeout=_STEP_SECONDS, context=self._context)
        return HttpConnection(connection, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))


class HttpConnection:
    """A connection to one receiver. It is reopened when the receiver has closed it."""

    def __init__(self, connection: http.client.HTTPConnection, request_target: str) -> None:
        self._connection = connection
        self._request_target = request_target
        self._closed = False

    async def send(self, message: Message) -> str:
        """POST one message and return the status. Raises TargetUnavailable, MessageRejected."""
        try:
            status = await _in_thread(lambda: self._post(message))
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise TargetUnavailable(_reason(error)) from None
        except asyncio.CancelledError:
            self.close()
            raise
        if 200 <= status < 300:
            return str(status)
        text = f"the receiver answered {status}"
        raise TargetUnavailable(text) if status >= 500 or status in _RETRY_STATUSES else MessageRejected(text)

    def close(self) -> None:
        """Close the connection. A thread that waits for a response ends."""
        self._closed = True
        with suppress(OSError):
            if self._connection.sock is not None:
                self._connection.sock.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def _post(self, message: Message) -> int:
        used_before = self._connection.sock is not None
        try:
            return self._exchange(message)
        except (ConnectionError, http.client.BadStatusLine):
            # A receiver may close an idle connection.
            if not used_before or self._closed:
                raise
            self._connection.close()
            return self._exchange(message)

    def _exchange(self, message: Message) -> int:
        headers = {"user-agent": _USER_AGENT, **message.headers}
        self._connection.request("POST", self._request_target, message.body, headers)
        response = self._connection.getresponse()
        response.read(_RESPONSE_LIMIT)
        if not response.isclosed():
            self._connection.close()
        return response.status


def _split(url: str) -> SplitResult:
    """Raises TargetUrlInvalid."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise TargetUrlInvalid(f"{url!r} is not an http or https URL")
    return parts


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {_STEP_SECONDS} seconds"
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return f"not HTTP: {type(error).__name__}"


async def _in_thread(work: Callable[[], int]) -> int:
    """Run `work` in a daemon thread: unlike an executor's threads, it does not keep the process alive."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[int] = loop.create_future()

    def report(set_outcome: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # The loop is closed, so nothing waits for the outcome.
            loop.call_soon_threadsafe(lambda: None if done.done() else set_outcome())

    def run() -> None:
        try:
            status = work()
        except Exception as error:  # noqa: BLE001 - passed on to the awaiting coroutine
            reason = error
            report(lambda: done.set_exception(reason))
        else:
            report(lambda: done.set_result(status))

    threading.Thread(target=run, daemon=True, name="http-sender").start()
    return await done
