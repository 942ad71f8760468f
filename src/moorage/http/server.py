"""The HTTP server that runs the application: Granian with worker processes, or uvicorn with httptools in one process.

HTTP/1.1 only: Docker and the AWS clients use no other version for a registry, and HTTP/2 would allow rapid reset.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from moorage.http.draining import Drain

Factory = Callable[[], Any]

GRANIAN_READ_AHEAD = 32
"""Messages of a body that may be requested at once; Granian's single-threaded runtime answers them in order."""

_STOP_SECONDS = 60
"""How long running requests may take to finish when the server stops."""


_WATCH_SECONDS = 2.0
"""How often to check for a new certificate."""

_HANDOVER_SECONDS = 2.0
"""How long a new worker process serves beside the one it replaces; longer than its start takes."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """`file` has the certificate chain and key; `changed` returns True once after each change."""

    file: Path
    changed: Callable[[], bool]


class PortInUse(Exception):
    """Another process listens on that address."""


def require_free_port(host: str, port: int) -> None:
    """Raise PortInUse. Granian's workers share their port, even with another server, and would not notice."""
    address = host.strip("[]")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortInUse(f"{host}:{port} is in use: choose another --listen HOST:PORT") from None
            raise


def run_granian(
    factory: Factory, host: str, port: int, workers: int, certificate: Certificate | None, drain: Drain
) -> None:
    """Serve until a signal to stop. Each worker process calls `factory` for its application.

    A worker reads the certificate when it starts. After a change of the certificate, and after SIGHUP, new workers
    replace the old ones one by one, and the old ones finish their requests.
    """
    from granian.constants import HTTPModes, Interfaces, RuntimeModes, SSLProtocols  # noqa: PLC0415 - imports take 50 ms
    from granian.log import LogLevels  # noqa: PLC0415
    from granian.server import Server  # noqa: PLC0415

    os.register_at_fork(after_in_child=_reset_signals)
    server = Server(
        "moorage",
        address=host.strip("[]"),
        port=port,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        runtime_mode=RuntimeModes.st,
        workers=workers,
        websockets=False,
        backpressure=4096,
        backlog=4096,
        log_level=LogLevels.error,
        ssl_cert=certificate.file if certificate else None,
        ssl_key=certificate.file if certificate else None,
        ssl_protocol_min=SSLProtocols.tls12,
        respawn_failed_workers=True,
        respawn_interval=_HANDOVER_SECONDS,
        workers_kill_timeout=_STOP_SECONDS,
    )
    stop = drain.handler(server.signal_handler_interrupt)
    server.on_startup(lambda: signal.signal(signal.SIGTERM, stop))  # after Granian has set its own handlers
    if certificate is not None:
        _watch(certificate, server.signal_handler_reload)
    server.serve(target_loader=factory, wrap_loader=False)


def _watch(certificate: Certificate, reload: Callable[[], object]) -> None:
    """Call `reload` in a separate thread whenever the certificate changes."""

    def watch() -> None:
        while True:
            time.sleep(_WATCH_SECONDS)
            if certificate.changed():
                reload()

    threading.Thread(target=watch, daemon=True, name="certificate").start()


def _reset_signals() -> None:
    """Reset signals in a new worker; until it sets its own handlers, the parent's would swallow the signal to stop."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def run_uvicorn(factory: Factory, host: str, port: int, certificate: Certificate | None, drain: Drain) -> None:
    """Serve from this process only, until a signal to stop."""
    import uvicorn  # noqa: PLC0415 - an optional dependency

    # After it has stopped, uvicorn raises the signal again; a requested stop is not a failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    config = uvicorn.Config(
        factory(),
        host=host.strip("[]"),
        port=port,
        http="httptools",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_STOP_SECONDS,
        ssl_certfile=certificate.file if certificate else None,
        ssl_keyfile=certificate.file if certificate else None,
    )
    config.load()
    if certificate is not None and config.ssl is not None:
        config.ssl.minimum_version = ssl.TLSVersion.TLSv1_2
        # The context uses a newly loaded certificate for all new connections.
        _watch(certificate, partial(config.ssl.load_cert_chain, certificate.file))

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            (stop if sig == signal.SIGTERM else super().handle_exit)(sig, frame)

    server = Server(config)
    stop = drain.handler(super(Server, server).handle_exit)
    with suppress(KeyboardInterrupt):  # uvicorn raises it again after Ctrl-C
        server.run()
