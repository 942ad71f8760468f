"""Moorage's commands and the AWS CLI, run as a user runs them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import pytest

from tests.support.commands import Ended, run_apart, run_here
from tests.support.server import Server

RUN_HERE = frozenset({"account", "key", "user"})
"""Commands that run in this process, which saves the start of another one. Other commands start one."""


class Command(Protocol):
    """Runs `python -m MODULE WORDS…`, by default `moorage`, with only the variables of `extra`."""

    def __call__(self, *words: str, module: str = "moorage", extra: Mapping[str, str] | None = None) -> Ended: ...


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Runs a command with an empty home folder."""

    def run(*words: str, module: str = "moorage", extra: Mapping[str, str] | None = None) -> Ended:
        if module == "moorage" and words[0] in RUN_HERE:
            home = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "data")}
            return run_here(*words, variables=home | dict(extra or {}))
        return run_apart(tmp_path, *words, variables=extra, module=module)

    return run


@pytest.fixture
def data(server: Server) -> tuple[str, str]:
    """The option that names the shared server's data folder."""
    return "--data", str(server.data)
