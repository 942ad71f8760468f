"""Loopback ports for the servers that tests start."""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Iterator

_HOST = "127.0.0.1"


def free_port() -> int:
    """A free loopback port: another one at each call and in each test process."""
    for port in _ports:
        with socket.socket() as probe:
            try:
                probe.bind((_HOST, port))
            except OSError:
                continue
            return port
    raise AssertionError("unreachable: the ports go round")


def _port_range() -> Iterator[int]:
    # Below the ports of outgoing connections, with a thousand ports for each process of pytest-xdist.
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = 18_000 + 1_000 * (worker % 12)
    # From another port in each run, so that two runs on one machine seldom use the same ports.
    begin = os.getpid() * 37 % 1_000
    return (first + (begin + number) % 1_000 for number in itertools.count())


_ports = _port_range()
