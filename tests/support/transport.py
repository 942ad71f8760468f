"""Command lines of clients for plain HTTP and for TLS, from one command line for plain HTTP."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final, TypeVar

from tests.support.server import Server

Word = TypeVar("Word", str, str | Path)

PLAIN_HTTP_OPTIONS: Final = frozenset(
    {"--allow-http-registry", "--tls-verify=false", "--src-tls-verify=false", "--dest-tls-verify=false"}
)
"""Options for plain HTTP. They are left out for TLS."""

NEGATED_OPTIONS: Final = frozenset({"--plain-http", "--from-plain-http", "--to-plain-http"})
"""Options for plain HTTP that need `=false` for TLS, because the client expects plain HTTP on `localhost` (oras)."""


def has_tls(server: Server) -> bool:
    return server.url.startswith("https:")


def for_transport(server: Server, words: Iterable[Word]) -> list[Word]:
    """A command for plain HTTP, with the options that this server needs."""
    if not has_tls(server):
        return list(words)
    return [f"{word}=false" if word in NEGATED_OPTIONS else word for word in words if word not in PLAIN_HTTP_OPTIONS]


def trust(server: Server) -> dict[str, str]:
    """The variable that makes Go programs trust the server's authority. docs/tls.md lists other ways."""
    return {"SSL_CERT_FILE": server.environment["AWS_CA_BUNDLE"]} if has_tls(server) else {}
