"""docs/clients.md matches the tests and the versions of their programs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.clients.everyday.programs import LOGIN_OPTIONS
from tests.clients.per_program.matrix import CLIENTS, DEBIAN, DOCUMENT, with_table
from tests.clients.per_program.programs import LOGINS
from tests.support.clients import program_environment, require_client, run
from tests.support.go_clients import pinned_versions

VERSION_COMMANDS = {
    "oras": ("version",),
    "regctl": ("version",),
    "cosign": ("version",),
    "crane": ("version",),
    "helm": ("version", "--template", "{{.Version}}"),
    "buildah": ("--version",),
    "skopeo": ("--version",),
}
"""The credential helper does not know its version when it is built by `go install`."""


def test_the_matrix_is_what_the_tests_show() -> None:
    """If not, run python -m tests.clients.per_program.matrix."""
    text = DOCUMENT.read_text("utf-8")

    assert with_table(text) == text


def test_every_program_that_is_driven_is_named_with_how_it_logs_in() -> None:
    text = DOCUMENT.read_text("utf-8")

    for program, words in LOGINS.items():
        assert f"`{program} {' '.join(words)} HOST`" in text
    assert set(LOGIN_OPTIONS) <= set(re.findall(r"\w+", text))


def test_every_client_that_is_built_for_the_tests_is_in_the_matrix() -> None:
    """A scanner and another registry are built as well."""
    clients = pinned_versions().keys() - {"grype", "registry"}

    assert clients | {"buildah", "skopeo"} == {client.program for client in CLIENTS}


@pytest.mark.client
@pytest.mark.parametrize("program", VERSION_COMMANDS)
def test_the_version_is_the_one_that_was_tested(program: str, tmp_path: Path) -> None:
    """helm omits the last number when it is built by `go install`."""
    output = run([require_client(program), *VERSION_COMMANDS[program]], program_environment(tmp_path))

    version = {**DEBIAN, **pinned_versions()}[program].removeprefix("v")
    assert (version.rpartition(".")[0] if program == "helm" else version) in output
