"""Start registries, stop them, and empty their folders between rounds."""

from __future__ import annotations

import configparser
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self

from moorage.aws.signing import SigningKey
from moorage_bench.connections import BenchmarkError
from moorage_bench.memory import free_memory
from moorage_bench.peers.kinds import MOORAGE, Kind
from moorage_bench.targets import ECR, Credentials, Target

START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 20.0
POLL_SECONDS: Final = 0.01
REGION: Final = "us-east-1"


class Server:
    """A registry with a folder and a port of its own, which it keeps when it starts again."""

    def __init__(self, kind: Kind, program: str, parent: Path | None, label: str = "") -> None:
        self.kind = kind
        self.version = kind.version_of(program)
        self._program = program
        self._parent = parent
        self._port = _free_port()
        self._root: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.target = Target(
            f"127.0.0.1:{self._port}", Credentials(), label=label or kind.name, abilities=kind.abilities
        )

    @property
    def data(self) -> Path:
        """The folder with the data. Raises BenchmarkError after `stop`."""
        if self._root is None:
            raise BenchmarkError(f"{self.kind.name} has no folder")
        return self._root / "data"

    def start(self) -> float:
        """Start, with an empty folder after `stop`, and wait until it answers. Returns the seconds that this took.

        Raises BenchmarkError.
        """
        if self._root is None:
            self._root = Path(tempfile.mkdtemp(prefix=f"bench-{self.kind.name}-", dir=self._parent))
        began = time.perf_counter()
        self._run(self._root)
        seconds = time.perf_counter() - began
        if self.kind.name == MOORAGE.name:
            self.target.use_key(_root_key(self.data))
        elif ECR in self.kind.abilities.protocols:
            self.target.use_key(SigningKey("AKIAIOSFODNN7EXAMPLE", "any", REGION, "ecr"))
        self.target.log_in()
        self.target.server = self.version
        return seconds

    def _run(self, root: Path) -> None:
        log = root / "log"
        command = self.kind.command(self._program, root, self._port)
        with log.open("ab") as output:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        self.target.process = self._process.pid
        until = time.perf_counter() + START_SECONDS
        while not _answers(self._port):
            if self._process.poll() is not None or time.perf_counter() > until:
                text = log.read_text(errors="replace")[-1000:]
                self.stop()
                raise BenchmarkError(f"{self.kind.name} did not start: {text}")
            time.sleep(POLL_SECONDS)

    def halt(self) -> None:
        """Stop the process, and keep the folder."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def stop(self) -> None:
        """Stop the process, and remove the folder."""
        self.halt()
        if self._root is not None:
            shutil.rmtree(self._root, ignore_errors=True)
            self._root = None


class Fleet:
    """Several servers that run while the context is open."""

    def __init__(self, servers: Sequence[Server]) -> None:
        self._servers = servers
        self._stack = ExitStack()

    @property
    def targets(self) -> list[Target]:
        """The registries to measure."""
        return [server.target for server in self._servers]

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.callback(signal.signal, signal.SIGTERM, signal.signal(signal.SIGTERM, _leave))
            for server in self._servers:
                stack.callback(server.stop)
                server.start()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def renew(self) -> None:
        """Start all servers again, each with an empty folder and the port that it had."""
        for server in self._servers:
            server.stop()
            server.start()


def _leave(number: int, _: object) -> None:
    """End as after an exception, so that no server and no folder stays."""
    sys.exit(128 + number)


def free_space(folder: Path | None) -> int:
    """The bytes that servers can store in a folder so that all of it stays in memory, on a disk as in a tmpfs."""
    return min(shutil.disk_usage(folder or tempfile.gettempdir()).free, free_memory())


def _root_key(data: Path) -> SigningKey:
    """The root access key, which the server writes in the form of AWS's shared credentials file."""
    parser = configparser.RawConfigParser()
    parser.read(data / "credentials", encoding="utf-8")
    section = parser[parser.sections()[0]]
    return SigningKey(section["aws_access_key_id"], section["aws_secret_access_key"], REGION, "ecr")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"GET /v2/ HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            return connection.recv(9) == b"HTTP/1.1 "
    except OSError:
        return False
