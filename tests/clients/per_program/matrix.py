"""Generate the table of docs/clients.md from the names of the tests: `python -m tests.clients.per_program.matrix`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.support.go_clients import pinned_versions

ROOT = Path(__file__).parents[3]
DOCUMENT = ROOT / "docs" / "clients.md"
BEGIN, END = "<!-- matrix: written by tests/clients/per_program/matrix.py -->\n", "<!-- end of matrix -->\n"
HELPER = "docker-credential-ecr-login"

DEBIAN = {"buildah": "1.28.2", "skopeo": "1.9.3"}
"""Versions of Debian 12. `.ci/run` pins the other versions."""


class Client(NamedTuple):
    """A client program and its tests: a module, and a class if the module tests several programs."""

    program: str
    module: str
    group: str | None
    flags: str


CLIENTS = (
    Client("oras", "test_oras", None, "`--plain-http`; for `copy`, `--from-plain-http` and `--to-plain-http`"),
    Client("regctl", "test_regctl", None, "run `regctl registry set --tls disabled HOST` once"),
    Client("cosign", "test_cosign", None, "`--allow-http-registry`"),
    Client("helm", "test_helm", None, "`--plain-http`"),
    Client(HELPER, "test_ecr_credential_helper", None, "not possible: requires HTTPS and `--domain amazonaws.com`"),
    Client("buildah", "test_debian_programs", "TestBuildah", "`--tls-verify=false`"),
    Client("skopeo", "test_debian_programs", "TestSkopeo", "`--src-tls-verify=false`, `--dest-tls-verify=false`"),
    Client("crane", "test_debian_programs", "TestCrane", "no flag for `localhost`"),
)


def table() -> str:
    """One row per client, with the names of its tests as sentences."""
    rows = ["| client | version | what the tests do | flag for plain HTTP |", "|---|---|---|---|"]
    versions = {**DEBIAN, **pinned_versions()}
    for client in CLIENTS:
        shown = "; ".join(sentences(client))
        rows.append(f"| {client.program} | {versions[client.program]} | {shown} | {client.flags} |")
    return "\n".join(rows) + "\n"


def sentences(client: Client) -> Iterator[str]:
    """The names of a client's tests, as words."""
    path = Path(__file__).with_name(f"{client.module}.py")
    body: list[ast.stmt] = ast.parse(path.read_text()).body
    if client.group is not None:
        [body] = [node.body for node in body if isinstance(node, ast.ClassDef) and node.name == client.group]
    for node in body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node.name.removeprefix("test_").replace("_", " ")


def with_table(text: str) -> str:
    """The document with an up-to-date table."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}{table()}{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    DOCUMENT.write_text(with_table(DOCUMENT.read_text("utf-8")), "utf-8")
