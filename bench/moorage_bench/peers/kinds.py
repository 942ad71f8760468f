"""The registries that the benchmark can start, with the configuration that it gives them.

None logs single requests, and none removes garbage or shares equal layers of two repositories in the background while
it is measured: the others then do no work beside the requests. Ours authenticates, authorizes and audits as always.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from moorage_bench.connections import BenchmarkError
from moorage_bench.targets import DOCKER, ECR, Abilities

PATIENCE: Final = 20.0
"""Seconds in which a program must print its version."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A registry: the command that serves the folder `data` of a folder on a port, and what it can do."""

    name: str
    command: Callable[[str, Path, int], Sequence[str]]
    abilities: Abilities

    def version_of(self, program: str) -> str:
        """The version that the program prints, in one line. Raises BenchmarkError if it cannot be run."""
        try:
            done = subprocess.run(
                [*program.split(), "--version"], capture_output=True, text=True, timeout=PATIENCE, check=False
            )
        except OSError as error:
            raise BenchmarkError(f"{self.name}: {program} cannot be run: {error}") from error
        text = " ".join((done.stdout or done.stderr).split())
        return _plain(text.replace(program, Path(program).name))[:200]


def _plain(version: str) -> str:
    """A version; zot writes its own as a line of its log, with names and values in JSON."""
    named = dict(re.findall(r'"(release-tag|commit|binary-type)":"([^"]+)"', version))
    return " ".join(named.values()) or version


def _moorage(program: str, folder: Path, port: int) -> list[str]:
    return [
        *program.split(),
        "serve",
        "--listen",
        f"127.0.0.1:{port}",
        "--data",
        str(folder / "data"),
        "--no-access-log",
    ]


def _moorage_without_quotas(program: str, folder: Path, port: int) -> list[str]:
    quotas = ("images-per-repository=100000000", "repositories=100000000")
    options = [word for quota in quotas for word in ("--quota", quota)]
    return [*_moorage(program, folder, port), *options, "--lifecycle-delay", "3600"]


def _zot(program: str, folder: Path, port: int) -> list[str]:
    configuration = {
        "distSpecVersion": "1.1.1",
        "storage": {"rootDirectory": str(folder / "data"), "gc": False, "dedupe": False},
        "http": {"address": "127.0.0.1", "port": str(port)},
        "log": {"level": "error"},
    }
    path = folder / "zot.json"
    path.write_bytes(msgspec.json.encode(configuration))
    return [program, "serve", str(path)]


def _distribution(program: str, folder: Path, port: int) -> list[str]:
    configuration = {
        "version": "0.1",
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": True}},
        "http": {"addr": f"127.0.0.1:{port}"},
    }
    path = folder / "distribution.yml"
    path.write_bytes(msgspec.json.encode(configuration))  # JSON is YAML.
    return ["env", "OTEL_TRACES_EXPORTER=none", program, "serve", str(path)]


def _moto(program: str, folder: Path, port: int) -> list[str]:  # noqa: ARG001 - it keeps everything in memory
    return [program, "-H", "127.0.0.1", "-p", str(port)]


MOORAGE: Final = Kind("moorage", _moorage, Abilities())
GROWN: Final = Kind("moorage", _moorage_without_quotas, Abilities())
"""The same without ECR's quotas of images and repositories, and without lifecycle runs while it is measured."""

OURS: Final = f"{sys.executable} -m moorage"
"""The command of the Moorage that is installed beside the benchmark."""

_DOCKER_ONLY: Final = Abilities(frozenset({DOCKER}))
_MOTO: Final = Abilities(
    frozenset({ECR}),
    frozenset(
        {"BatchGetImage", "CreateRepository", "DeleteRepository", "DescribeRepositories", "ListImages", "PutImage"}
    ),
)
_NAMED: Final = (
    Kind("zot", _zot, _DOCKER_ONLY),
    Kind("distribution", _distribution, _DOCKER_ONLY),
    Kind("moto", _moto, _MOTO),
    MOORAGE,
)
PEERS: Final = {kind.name: kind for kind in _NAMED}
"""The names for --peer."""
