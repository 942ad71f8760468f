"""Limits of a connection: how long a client may take, and how many clients there may be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


def _nobody(_: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Limits of each connection of a worker process, in seconds and bytes.

    `idle` is the time between two requests. It is longer than the 90 seconds after which Go's clients close an idle
    connection, so that they never send a request to a closing one.
    """

    handshake: float = 15.0
    idle: float = 120.0
    head: float = 30.0
    """From the first byte of a head to its last."""
    body: float = 75.0
    """Without a byte of a body."""
    window: float = 60.0
    window_bytes: int = 60 << 10
    """In each `window` spent waiting for a body, this much of it must arrive."""
    whole_body: float = 300.0
    """For a body that is kept in memory until it is complete."""
    send: float = 75.0
    """Without a byte that the client accepts."""
    discard: float = 30.0
    discard_bytes: int = 256 << 20
    """After an early response, how much of the rest of the body is received and discarded, and for how long."""
    stop: float = 60.0
    """For requests in progress, when the process stops."""
    connections: int = 4096
    connections_per_client: int = 1024
    """At a time, with one address."""
    is_exempt: Callable[[str], bool] = _nobody
    """Whether an address may have more connections, as a trusted proxy does."""
