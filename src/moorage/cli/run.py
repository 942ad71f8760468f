"""`moorage run`: run a command with a registry of its own, which is gone afterwards.

One process runs the command and another one serves: a single worker process, which starts without a supervisor.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

import click

from moorage.cli import exit_codes
from moorage.cli.aws import MISLEADING, environment_of, own_model
from moorage.cli.docker_login import log_in
from moorage.cli.next_commands import command, failure
from moorage.cli.options import settings_options
from moorage.cli.throwaway import Throwaway, new_folder
from moorage.config.settings import TABLE
from moorage.config.sources import inherited

_FORWARDED: Final = ("SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2")
_FROM_TERMINAL: Final = frozenset({signal.SIGINT, signal.SIGQUIT})
"""Signals that a terminal sends to all processes in its foreground, so the command has them already."""

_SERVICES: Final = ("IAM", "KMS", "SECRETS_MANAGER", "SIGNER")
"""Services besides those of `moorage env` that clients find at the registry's endpoint."""

_NOT_FOUND: Final = 127
"""The exit code of a shell for a command that does not exist."""

_BY_SIGNAL: Final = 128
"""A shell adds the number of the signal that ended a command."""


@click.command(context_settings={"allow_interspersed_args": False})
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED, metavar="COMMAND…")
@click.option("--keep", is_flag=True, help="Keep the registry's folder, and print how to serve it.")
@settings_options("run")
def run(words: tuple[str, ...], keep: bool, **options: Any) -> None:
    """Run COMMAND with a registry of its own, which is removed afterwards: moorage run -- pytest.

    COMMAND finds the registry by its environment: AWS clients by endpoints, keys and Region, Docker by DOCKER_CONFIG,
    both without a login. MOORAGE_REGISTRY is the host of the registry, for the names of images. Settings come from the
    options and the file of --config only, so the registry is the same on every machine. The exit code is COMMAND's.
    """
    program = shutil.which(words[0])
    if program is None:
        click.echo(f"Error: {words[0]}: command not found", err=True)
        exit_codes.hand_on(_NOT_FOUND)
    code = _code_of(words, keep, options)
    exit_codes.hand_on(code if code >= 0 else _BY_SIGNAL - code)


def _code_of(words: tuple[str, ...], keep: bool, options: Mapping[str, Any]) -> int:
    """Run the command with a registry; returns its exit code, or the negative number of the signal that ended it."""
    with new_folder(keep=keep) as folder, _forwarding() as signals:
        registry = Throwaway(folder, options)
        with registry.serving():
            if signals.first is not None:
                return -signals.first
            try:
                process = subprocess.Popen(words, env=_variables(registry))
            except OSError as error:
                raise failure(f"{words[0]}: {error.strerror}") from None
            signals.go_to(process)
            code = process.wait()
        if keep:
            serve = command("serve", "--data", str(registry.folder.path))
            click.echo(f"The registry is kept in {folder}. To serve it, run: {serve}", err=True)
    return code


def _variables(registry: Throwaway) -> dict[str, str]:
    """The environment of the command: the user's own, without other registries."""
    unwanted = {*MISLEADING, *(entry.variable for entry in TABLE), "MOORAGE_CONFIG"}
    variables = {name: value for name, value in inherited().items() if name not in unwanted}
    variables |= environment_of(registry.folder, registry.settings) | own_model()
    endpoint, host = variables["AWS_ENDPOINT_URL_ECR"], registry.host
    variables |= {f"AWS_ENDPOINT_URL_{service}": endpoint for service in _SERVICES}
    user_folder = Path(variables.get("DOCKER_CONFIG", Path.home() / ".docker"))
    docker = log_in(registry.root / "docker", host, user_folder, variables)
    return variables | {
        "MOORAGE_DATA": str(registry.folder.path),
        "MOORAGE_ACCOUNT": registry.settings.account,
        "MOORAGE_REGION": registry.settings.region,
        "MOORAGE_REGISTRY": host,
        "DOCKER_CONFIG": str(docker.parent),
        "REGISTRY_AUTH_FILE": str(docker),  # Podman, Skopeo and Buildah
    }


class _Signals:
    """Signals that this process got: they go to the command, or if it does not run yet, `first` has the first one."""

    def __init__(self) -> None:
        self.first: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def go_to(self, process: subprocess.Popen[bytes]) -> None:
        """Send signals to the command from now on, and the one that arrived while it was started."""
        self._process = process
        if self.first is not None:
            process.send_signal(self.first)

    def handle(self, number: int, _: FrameType | None) -> None:
        if self._process is None:
            self.first = self.first or number
        elif not (number in _FROM_TERMINAL and _is_in_foreground()):
            self._process.send_signal(number)


@contextmanager
def _forwarding() -> Iterator[_Signals]:
    signals = _Signals()
    numbers = [signal.Signals[name] for name in _FORWARDED]
    former = {number: signal.signal(number, signals.handle) for number in numbers}
    try:
        yield signals
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _is_in_foreground() -> bool:
    """Whether a terminal sends the signals of its keys to this process, and so to the command, too."""
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except (OSError, ValueError):  # no terminal, or no standard input
        return False
