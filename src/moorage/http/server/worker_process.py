"""A worker process: it accepts connections and serves them on one event loop."""

from __future__ import annotations

import asyncio
import errno
import multiprocessing
import os
import signal
import socket
import sys
import traceback
from collections import Counter
from collections.abc import Callable, MutableSequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Protocol

import uvloop

from moorage.http.bodies import ClientGone, RequestBody
from moorage.http.messages import RequestHead, Send
from moorage.http.server.certificates import server_context
from moorage.http.server.connection import Connection
from moorage.http.server.exchange import BUSY
from moorage.http.server.limits import ConnectionLimits
from moorage.http.server.orphans import end_with_parent
from moorage.shares import SharedThreads
from moorage.telemetry import Log

_TICK_SECONDS: Final = 1.0
"""How often waits that took too long are ended."""

_TURN_SECONDS: Final = 0.002
_LONGEST_TURN: Final = 0.02
"""How long a process leaves a new connection to one with fewer: longer, the more it has more than that one."""

_MOST_ACCEPTED: Final = 64
"""How many connections to accept before requests are served again: a new one waits for few requests of others."""

_SURPLUS_SHARE: Final = 16
"""A process may have one connection in so many more than another without leaving new ones to it."""

_SWITCH_SECONDS: Final = 0.001
"""How long a thread waits before the event loop must let it run Python; the default is 5 ms. A push needs the lock of
the interpreter some dozens of times, and the event loop of a busy process does not release it by itself."""

_PAUSE_SECONDS: Final = 1.0
"""How long to accept no connections after the process had no file descriptor for one."""

NOT_SERVING: Final = 1 << 30
"""The number of connections of a process that is not serving, so that no other one waits for it."""


class ServedApplication(Protocol):
    """The application of a worker process."""

    def start(self) -> None: ...

    async def serve(self, head: RequestHead, body: RequestBody, send: Send) -> None: ...

    async def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class WorkerTask:
    """What all worker processes do.

    `certificate` is the file with the certificate chain and key, for TLS. `counts` has the number of connections of
    each process and is shared by all of them.
    """

    factory: Callable[[], ServedApplication]
    listener: socket.socket
    certificate: Path | None
    limits: ConnectionLimits
    counts: MutableSequence[int]


def run(task: WorkerTask, index: int) -> None:
    """Serve until SIGTERM, or until the parent process has ended. `index` is this process's place in the counts."""
    end_with_parent()
    sys.setswitchinterval(_SWITCH_SECONDS)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(task, index))


async def _run(task: WorkerTask, index: int) -> None:
    loop = asyncio.get_running_loop()
    loop.set_default_executor(SharedThreads(None, "worker"))
    parent = multiprocessing.parent_process()
    if parent is not None:
        loop.add_reader(parent.sentinel, os._exit, 1)
    application = task.factory()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    application.start()
    await WorkerServer(application, task, index).serve_until(stop)
    await application.stop()


class WorkerServer:
    """The connections of a worker process."""

    def __init__(self, application: ServedApplication, task: WorkerTask, index: int) -> None:
        self._application = application
        self._limits = task.limits
        self._listener = task.listener
        self._tls = None if task.certificate is None else server_context(task.certificate)
        self._scheme = "http" if self._tls is None else "https"
        self._counts = task.counts
        self._index = index
        self._loop = asyncio.get_running_loop()
        self._connections: dict[asyncio.Task[None], Connection] = {}
        self._by_client: Counter[str] = Counter()
        self._log = Log()
        if self._tls is not None and task.certificate is not None:
            self._loop.add_signal_handler(signal.SIGHUP, partial(self._tls.load_cert_chain, task.certificate))

    async def serve_until(self, stop: asyncio.Event) -> None:
        """Accept and serve connections until the event; then finish the requests in progress."""
        self._counts[self._index] = 0
        self._listen()
        ticks = self._loop.create_task(self._tick())
        await stop.wait()
        self._loop.remove_reader(self._listener.fileno())
        self._listener.close()
        for connection in self._connections.values():
            connection.stop()
        if self._connections:
            await asyncio.wait(self._connections, timeout=self._limits.stop)
        ticks.cancel()

    # --- Accepting ------------------------------------------------------------------------------------------------

    def _on_connection(self) -> None:
        """Accept the waiting connections, unless another process has fewer; that one gets a moment to accept first."""
        for _ in range(_MOST_ACCEPTED):
            surplus = self._counts[self._index] - min(self._counts)
            if surplus > self._counts[self._index] // _SURPLUS_SHARE:
                self._loop.remove_reader(self._listener.fileno())
                self._loop.call_later(min(surplus * _TURN_SECONDS, _LONGEST_TURN), self._take_turn)
                return
            if not self._accept():
                return

    def _take_turn(self) -> None:
        self._listen()
        self._accept()

    def _listen(self) -> None:
        if self._listener.fileno() >= 0:  # It is closed when the process stops.
            self._loop.add_reader(self._listener.fileno(), self._on_connection)

    def _pause(self) -> None:
        self._loop.remove_reader(self._listener.fileno())
        self._loop.call_later(_PAUSE_SECONDS, self._listen)

    def _accept(self) -> bool:
        """Accept a connection, or refuse it; False if none waits."""
        try:
            accepted, address = self._listener.accept()
        except OSError as error:
            if error.errno in {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}:
                self._log.event("no-connections-accepted", reason=error.strerror or "")
                self._pause()
            return False  # Otherwise another process took the connection, or the client has closed it.
        client = address[0]
        accepted.setblocking(False)
        if len(self._connections) >= self._limits.connections or self._is_greedy(client):
            _refuse(accepted, self._tls is None)
            return True
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(accepted, client, self._scheme, self._limits)
        task = self._loop.create_task(self._serve(connection))
        self._connections[task] = connection
        self._counts[self._index] += 1
        self._by_client[client] += 1
        task.add_done_callback(self._on_end)
        return True

    def _is_greedy(self, client: str) -> bool:
        """Whether the client has as many connections as one may have."""
        limit = self._limits.connections_per_client
        return self._by_client[client] >= limit and not self._limits.is_exempt(client)

    # --- Serving --------------------------------------------------------------------------------------------------

    async def _serve(self, connection: Connection) -> None:
        try:
            if self._tls is not None:
                await connection.io.handshake(self._tls, self._limits.handshake)
            await connection.serve(self._application.serve)
        except ClientGone:
            pass
        except Exception:  # noqa: BLE001 - logged; it ends this connection only
            self._log.event("connection-fault", trace=traceback.format_exc())
        finally:
            connection.io.close()

    def _on_end(self, task: asyncio.Task[None]) -> None:
        client = self._connections.pop(task).client
        self._counts[self._index] -= 1
        self._by_client[client] -= 1
        if not self._by_client[client]:
            del self._by_client[client]

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            now = self._loop.time()
            for connection in self._connections.values():
                connection.io.expire(now, self._limits.send)


def _refuse(accepted: socket.socket, is_plain: bool) -> None:
    """Close a connection that is one too many; in plain HTTP with a response."""
    with accepted, suppress(OSError):
        if is_plain:
            accepted.send(BUSY)
            accepted.shutdown(socket.SHUT_WR)
