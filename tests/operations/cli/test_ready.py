"""`moorage ready`: the exit status shows whether the server is ready."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from tests.operations.cli.conftest import Command
from tests.support.ports import free_port
from tests.support.server import Server


def test_a_server_that_serves_is_ready(server: Server, command: Command) -> None:
    address = f"{server.host}:{server.port}"

    assert command("ready", "--listen", address).code == 0
    assert command("ready", extra={"MOORAGE_LISTEN": address}).code == 0
    assert command("ready", extra={"MOORAGE_LISTEN": f"0.0.0.0:{server.port}"}).code == 0


def test_an_address_without_a_server_is_not_ready(command: Command) -> None:
    address = f"127.0.0.1:{free_port()}"

    ended = command("ready", "--listen", address)

    assert ended.code == 1
    assert ended.err == f"Error: The server on {address} is not ready.\n"


def test_it_waits_for_a_server_that_is_starting(tmp_path: Path, command: Command) -> None:
    server = Server(tmp_path / "data")
    later = threading.Timer(0.5, server.start)
    later.start()

    ended = command("ready", "--listen", f"{server.host}:{server.port}", "--wait", "30s")

    later.join()
    server.stop()
    assert ended.code == 0


def test_it_waits_at_most_the_given_time(command: Command) -> None:
    began = time.monotonic()

    assert command("ready", "--listen", f"127.0.0.1:{free_port()}", "--wait", "500ms").code == 2
    assert command("ready", "--listen", f"127.0.0.1:{free_port()}", "--wait", "0.5s").code == 1

    assert 0.5 < time.monotonic() - began < 10
