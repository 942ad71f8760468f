"""The server's certificate. Connections that begin after a change use the new one."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Certificate:
    """`file` has the certificate chain and key; `changed` returns True once after each change."""

    file: Path
    changed: Callable[[], bool]


def server_context(file: Path) -> ssl.SSLContext:
    """TLS 1.2 or later with the certificate and key of a file. Raises OSError, which includes `ssl.SSLError`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(file)
    return context
