"""The sockets that the server listens on. All worker processes accept connections from the same ones."""

from __future__ import annotations

import errno
import socket
from typing import Final

_BACKLOG: Final = 4096


class PortInUse(Exception):
    """Another process listens on that address."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on an address; port 0 means any free port. Raises PortInUse, OSError."""
    address = host.strip("[]")
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(f"{host}:{port} is in use: choose another --listen HOST:PORT") from None
        raise
    listener.setblocking(False)
    return listener
