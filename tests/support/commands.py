"""Run `moorage` commands, in the test's process or in one of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from click.testing import CliRunner

from moorage.cli.main import main
from tests.support.clients import program_environment
from tests.support.waiting import PATIENCE_SECONDS


class Ended(NamedTuple):
    """The result of a command."""

    code: int
    out: str
    err: str


def run_here(*words: str | Path, variables: Mapping[str, str] | None = None, stdin: str = "") -> Ended:
    """Run a command in this process, which saves the start of another one. It has only these variables of ours."""
    unset: dict[str, str | None] = {name: None for name in os.environ if name.startswith(("AWS_", "MOORAGE_"))}
    arguments, environment = [str(word) for word in words], unset | dict(variables or {})
    ended = CliRunner().invoke(main, arguments, env=environment, input=stdin, prog_name="moorage")
    return Ended(ended.exit_code, ended.stdout, ended.stderr)


def run_apart(
    home: Path, *words: str | Path, variables: Mapping[str, str] | None = None, module: str = "moorage"
) -> Ended:
    """Run a command, or another module, in a process of its own that may crash."""
    done = subprocess.run(
        [sys.executable, "-m", module, *words],
        env=program_environment(home, variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)
