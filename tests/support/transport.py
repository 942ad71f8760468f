"""One command line for both transports: what a client is told for plain HTTP, and what lets it trust a TLS server."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final, TypeVar

from tests.support.server import Server

Word = TypeVar("Word", str, str | Path)

LEFT_OUT: Final = frozenset(
    {"--allow-http-registry", "--tls-verify=false", "--src-tls-verify=false", "--dest-tls-verify=false"}
)
"""Words that let a client speak plain HTTP."""

TURNED_ROUND: Final = frozenset({"--plain-http", "--from-plain-http", "--to-plain-http"})
"""The same for clients that take `localhost` for a host without TLS, and must be told that it has it (oras)."""


def has_tls(server: Server) -> bool:
    return server.url.startswith("https:")


def fitting(server: Server, words: Iterable[Word]) -> list[Word]:
    """The words of a command that was written for plain HTTP, as this server wants them."""
    if not has_tls(server):
        return list(words)
    return [f"{word}=false" if word in TURNED_ROUND else word for word in words if word not in LEFT_OUT]


def trust(server: Server) -> dict[str, str]:
    """The variable by which programs in Go trust the server's own authority; docs/tls.md has the other ways."""
    return {"SSL_CERT_FILE": server.environment["AWS_CA_BUNDLE"]} if has_tls(server) else {}
