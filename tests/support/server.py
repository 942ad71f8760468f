"""A real server for tests: `python -m moorage serve` on a loopback port of its own."""

from __future__ import annotations

import http.client
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path

from tests.support.clients import program_environment
from tests.support.commands import run_here
from tests.support.databases import database_settings
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE_SECONDS, wait_until

_HOST = "127.0.0.1"
_POLL_SECONDS = 0.01


class Server:
    """A data folder, a port, and the process that serves the folder on that port, if one runs.

    `settings` are the variables that `moorage` commands need for this folder. `environment` is the output of
    `moorage env`. `log` is the file with the output of the server. `launcher` is a command that starts the server, for
    example setpriv. After `kill`, a server can be started again on the same port and folder.
    """

    def __init__(self, data: Path, log: Path | None = None) -> None:
        self.data = data
        self.host = _HOST
        self.port = free_port()
        self.settings = database_settings(data)
        self.url = f"http://{self.host}:{self.port}"
        self.log = log or data.with_name(f"{data.name}.log")
        self.environment: dict[str, str] = {}
        self.launcher: Sequence[str] = ()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *, extra_env: Mapping[str, str] | None = None, extra_args: Sequence[str] = ()) -> None:
        """Start the server and wait until it is ready. Raises AssertionError if it never is."""
        self.launch(extra_env=extra_env, extra_args=extra_args)
        self.wait_until_ready()

    def launch(self, *, extra_env: Mapping[str, str] | None = None, extra_args: Sequence[str] = ()) -> None:
        """Start the server without waiting until it is ready."""
        assert self.process is None, "the server runs already"
        self.process = self._launch(extra_env, extra_args)

    def stop(self) -> None:
        """Stop the server, and check that it stops in time, with exit code 0 and without a traceback."""
        process = self._running()
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"still there {PATIENCE_SECONDS} s after SIGTERM\n{self.output()}") from None
        self.process = None
        assert code == 0, f"exit code {code} after SIGTERM\n{self.output()}"
        assert "Traceback" not in self.output(), self.output()

    def kill(self) -> None:
        """Kill the server and its worker processes at once, as a crash of the machine does."""
        process = self._running()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        end = time.monotonic() + PATIENCE_SECONDS
        while (
            _processes_of(process.pid) and time.monotonic() < end
        ):  # A killed worker keeps its files open a moment longer.
            time.sleep(_POLL_SECONDS)
        self.process = None

    def kill_main_process(self) -> None:
        """Kill only the main process, as the kernel does when memory is short. Its workers must end by themselves."""
        process = self._running()
        process.kill()
        process.wait()
        self.process = None
        wait_until(lambda: not _processes_of(process.pid))

    def restart(self, *, extra_env: Mapping[str, str] | None = None, extra_args: Sequence[str] = ()) -> None:
        """Stop the server, and start it again with the same data folder and port."""
        self.stop()
        self.start(extra_env=extra_env, extra_args=extra_args)

    def processes(self) -> list[int]:
        """The process ids of the server: the main process and its workers. Empty if the system is not Linux."""
        return _processes_of(self._running().pid)

    def workers(self) -> list[int]:
        """The process ids of the workers. Empty for a server without workers."""
        return [pid for pid in self.processes() if pid != self._running().pid]

    def output(self) -> str:
        """Everything the server has written so far."""
        return self.log.read_text(errors="replace")

    def moorage(self, *words: str, stdin: str = "") -> str:
        """The output of a command on this data folder, which must succeed. It runs in this process."""
        ended = run_here(*words, "--data", self.data, variables=self.settings, stdin=stdin)
        assert ended.code == 0, ended.err
        return ended.out

    def moorage_error(self, *words: str, stdin: str = "") -> str:
        """The error message of a command on this data folder, which must fail. It runs in this process.

        Commands that the message names have `--data`, as this one has; it is left out here.
        """
        ended = run_here(*words, "--data", self.data, variables=self.settings, stdin=stdin)
        assert (ended.code, ended.out) == (1, ""), ended
        return ended.err.removeprefix("Error: ").removesuffix("\n").replace(f" --data {self.data}`", "`")

    def client_environment(self, home: Path) -> dict[str, str]:
        """The environment for a client program that uses this server with the root key."""
        return program_environment(home, self.environment)

    def _running(self) -> subprocess.Popen[bytes]:
        assert self.process is not None, "the server does not run"
        return self.process

    def _launch(self, extra_env: Mapping[str, str] | None, extra_args: Sequence[str]) -> subprocess.Popen[bytes]:
        command = [*self.launcher, sys.executable, "-m", "moorage", "serve", "--listen", f"{self.host}:{self.port}"]
        # Tests of refusals send more wrong credentials in a minute than a server accepts from one address.
        command += ["--data", str(self.data), "--max-failed-logins", "0", *extra_args]
        with self.log.open("ab") as log:
            # In its own session, so that kill() reaches the worker processes through their process group.
            return subprocess.Popen(
                command,
                env=program_environment(self.data.parent, {**self.settings, **(extra_env or {})}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until_ready(self, path: str = "/readyz") -> None:
        """Wait until a worker process is ready or, with `/healthz`, until one answers. Raises AssertionError."""
        process = self._running()
        end = time.monotonic() + PATIENCE_SECONDS
        while not self.is_ready(path):
            code = process.poll()
            if code is not None:
                self.process = None
                raise AssertionError(f"the server ended with exit code {code} instead of serving\n{self.output()}")
            if time.monotonic() > end:
                self.kill()
                raise AssertionError(f"not ready after {PATIENCE_SECONDS} s\n{self.output()}")
            time.sleep(_POLL_SECONDS)
        if not self.environment:
            self.environment = self._read_environment()

    def is_ready(self, path: str = "/readyz") -> bool:
        """Whether a worker process is ready or, with `/healthz`, whether one answers."""
        try:
            with closing(self.connection()) as connection:
                connection.request("GET", path)
                return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.host, self.port, timeout=10)

    def _read_environment(self) -> dict[str, str]:
        exports = (shlex.split(line) for line in self.moorage("env").splitlines() if line.startswith("export "))
        return dict(words[1].split("=", 1) for words in exports)


def _processes_of(group: int) -> list[int]:
    """The running processes of a process group, from /proc."""
    running = (int(path.parent.name) for path in Path("/proc").glob("[0-9]*/stat"))
    return [pid for pid in running if _group_of(pid) == group]


def _group_of(pid: int) -> int | None:
    """The process group of a running process. None if the process has ended."""
    try:
        state, _, group = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:3]
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state == "Z" else int(group)
