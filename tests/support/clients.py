"""Find and run the client programs that tests drive."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

from tests.support.waiting import PATIENCE_SECONDS

REQUIRE_CLIENTS = "MOORAGE_REQUIRE_CLIENTS"
"""Set to 1 to fail a test, instead of skipping it, when its client program is missing."""

_ROOT = Path(__file__).parents[2]
_SEARCH_PATH = os.pathsep.join(
    # Beside the interpreter is the aws command, in .tools/bin what .ci/run builds, and in /usr/sbin dockerd.
    [str(Path(sys.executable).parent), str(_ROOT / ".tools" / "bin"), os.environ.get("PATH", os.defpath), "/usr/sbin"],
)


def require_client(program: str) -> str:
    """The path of a client program. If it is missing, skip the test, or fail it where clients are required."""
    found = shutil.which(program, path=_SEARCH_PATH)
    if found is None:
        unavailable(f"{program} is not installed")
    return found


def unavailable(reason: str) -> NoReturn:
    """Skip the test because this machine lacks something, or fail it where clients are required."""
    if os.environ.get(REQUIRE_CLIENTS) == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def program_environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for a program, without the user's own AWS, docker and moorage settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "DOCKER_", "MOORAGE_"))}
    return {
        **kept,
        "PATH": _SEARCH_PATH,
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_DATA_HOME": str(home / "data"),
        "XDG_RUNTIME_DIR": str(home),
        "AWS_EC2_METADATA_DISABLED": "true",
        **(extra or {}),
    }


@contextmanager
def temporary_home() -> Iterator[Path]:
    """A home folder with a short path, because podman allows 50 characters for a path inside."""
    with tempfile.TemporaryDirectory(prefix="h-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def run(
    command: Sequence[str | Path],
    environment: Mapping[str, str],
    *,
    stdin: str = "",
    code: int = 0,
    timeout: float = PATIENCE_SECONDS,
) -> str:
    """Standard output of a program that must end with this exit code. If not, the failure has all of its output."""
    ended = _ended(command, environment, stdin, timeout)
    if ended.returncode != code:
        pytest.fail(_failure(ended, f"exit code {ended.returncode}, not {code}"), pytrace=False)
    return ended.stdout


def refusal(
    command: Sequence[str | Path], environment: Mapping[str, str], *, stdin: str = "", timeout: float = PATIENCE_SECONDS
) -> str:
    """Standard output and standard error of a program that must fail."""
    ended = _ended(command, environment, stdin, timeout)
    if ended.returncode == 0:
        pytest.fail(_failure(ended, "it succeeded"), pytrace=False)
    return ended.stdout + ended.stderr


def _ended(
    command: Sequence[str | Path], environment: Mapping[str, str], stdin: str, timeout: float
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env=environment, input=stdin, capture_output=True, text=True, timeout=timeout, check=False
    )


def _failure(ended: subprocess.CompletedProcess[str], what: str) -> str:
    words = " ".join(str(word) for word in ended.args)
    return f"{words}: {what}\n{ended.stdout}{ended.stderr}"
