"""A docker daemon for tests, in a temporary folder and without a network."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.clients import program_environment, require_client, run, unavailable
from tests.support.waiting import PATIENCE_SECONDS


class Dockerd:
    """A running daemon. `docker("push", name)` runs a docker command with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = f"unix://{folder / 'docker.sock'}"

    def docker(
        self, *arguments: str, extra_env: Mapping[str, str] | None = None, stdin: str = "", code: int = 0
    ) -> str:
        """Standard output of a docker command, which must end with this exit code."""
        environment = program_environment(self.folder, {"DOCKER_HOST": self.address, **(extra_env or {})})
        return run([require_client("docker"), *arguments], environment, stdin=stdin, code=code, timeout=280)


@contextmanager
def running_dockerd(hosts: str = "", options: Sequence[str] = ()) -> Iterator[Dockerd]:
    """Start a daemon and stop it. If this is not possible, skip the test, or fail it where clients are required.

    `hosts` is the content of the file `/etc/hosts` that the daemon alone sees, if it is to see another one. `options`
    are further options of the daemon.
    """
    program = require_client("dockerd")
    require_client("docker")
    if os.geteuid() != 0:
        unavailable("dockerd runs as root only")
    # Not in pytest's folder: the path of a socket can have 107 characters.
    with tempfile.TemporaryDirectory(prefix="dockerd-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        daemon = Dockerd(folder)
        process = _launch([*_seeing(hosts, folder), program, *options], daemon)
        try:
            _wait_until_listening(process, folder)
            yield daemon
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            _unmount(folder)


def _unmount(folder: Path) -> None:
    """Unmount what a daemon that ran containers leaves mounted. Otherwise its folder cannot be removed."""
    mounted = (line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines())
    for place in sorted((where for where in mounted if where.startswith(f"{folder}/")), reverse=True):
        subprocess.run(["umount", place], check=False)


def _seeing(hosts: str, folder: Path) -> list[str]:
    """What runs a program in a mount namespace of its own, with these hosts."""
    if not hosts:
        return []
    (folder / "hosts").write_text(hosts)
    return ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', str(folder / "hosts")]


def _launch(program: list[str], daemon: Dockerd) -> subprocess.Popen[bytes]:
    folder = daemon.folder
    command = [*program, "--iptables=false", "--ip6tables=false", "--bridge=none"]
    command += ["--data-root", str(folder / "data"), "--exec-root", str(folder / "exec")]
    command += ["--pidfile", str(folder / "pid"), "--host", daemon.address]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            command, env=program_environment(folder), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )


def _wait_until_listening(process: subprocess.Popen[bytes], folder: Path) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not _answers(folder / "docker.sock"):
        if process.poll() is not None or time.monotonic() > end:
            raise AssertionError(f"dockerd does not serve\n{(folder / 'log').read_text()}")
        time.sleep(0.05)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe, suppress(OSError):
        probe.settimeout(5)
        probe.connect(str(path))
        probe.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
        return b" 200 " in probe.recv(64)
    return False
