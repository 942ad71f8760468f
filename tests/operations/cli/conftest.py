"""Commands of this program and of the AWS command line, run as a user would."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

import pytest

from tests.support.clients import program_environment
from tests.support.server import Server
from tests.support.waiting import PATIENCE_SECONDS


class Ended(NamedTuple):
    code: int
    out: str
    err: str


class Command(Protocol):
    """Runs `python -m MODULE WORDS…`, by default `moorage`, with no settings but `extra`."""

    def __call__(self, *words: str, module: str = "moorage", extra: Mapping[str, str] | None = None) -> Ended: ...


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Runs a command in a home folder that is empty."""

    def ended(*words: str, module: str = "moorage", extra: Mapping[str, str] | None = None) -> Ended:
        program = [sys.executable, "-m", module, *words]
        done = subprocess.run(
            program,
            env=program_environment(tmp_path, extra),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    return ended


@pytest.fixture
def data(server: Server) -> tuple[str, str]:
    """The option that names the shared server's data folder."""
    return "--data", str(server.data)
