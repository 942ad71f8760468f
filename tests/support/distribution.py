"""CNCF Distribution, the reference registry: one for all processes of a test run, or one of a test's own."""

from __future__ import annotations

import subprocess
import tempfile
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.support.clients import program_environment, require_client
from tests.support.ports import free_port
from tests.support.services import started_once
from tests.support.waiting import wait_until

_CONFIGURATION = """
version: 0.1
log: {{accesslog: {{disabled: true}}, level: error}}
storage: {{{storage}, delete: {{enabled: true}}, redirect: {{disable: true}}}}
http: {{addr: 127.0.0.1:{port}}}
"""

_started: list[Distribution] = []
"""Kept, because Python warns when the object of a running process is deleted."""


class Distribution:
    """A registry with its own folder and port. After `stop`, it can be started again with what it has stored.

    `storage` configures another storage than its folder.
    """

    def __init__(self, storage: str = "") -> None:
        self.port = free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="distribution-"))
        self.storage = self._folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        configuration = _CONFIGURATION.format(
            storage=storage or f"filesystem: {{rootdirectory: {self.storage}}}", port=self.port
        )
        (self._folder / "config.yml").write_text(configuration)

    def start(self) -> None:
        """Start the registry and wait until it answers."""
        program = require_client("registry")
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [program, "serve", self._folder / "config.yml"],
                env=program_environment(self._folder, {"OTEL_TRACES_EXPORTER": "none"}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_until(lambda: _answers(self.port))

    def stop(self) -> None:
        """Stop the registry, if it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def shared_distribution() -> str:
    """The URL of the registry. Use your own repository names."""
    return f"http://127.0.0.1:{started_once('distribution', _start)['port']}"


def _start() -> dict[str, Any]:
    one = Distribution()
    one.start()
    _started.append(one)
    return {"port": one.port}


def _answers(port: int) -> bool:
    with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/", timeout=5) as answer:
        return bool(answer.status == 200)
    return False
