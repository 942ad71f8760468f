"""The systemd unit: systemd finds no error in it, and its command starts a server that becomes ready."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.clients import program_environment, require_client, run
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE_SECONDS

UNIT = Path(__file__).parents[3] / "deploy" / "systemd" / "moorage.service"
INSTALLED = "/opt/moorage/bin/moorage"
EXPOSURE = 2.0
"""Out of 10, by `systemd-analyze security`. Below 5 it reports low exposure."""


def lines_of(name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", UNIT.read_text(), re.MULTILINE)


def program() -> str:
    return str(Path(sys.executable).with_name("moorage"))


@pytest.mark.client
def test_systemd_finds_no_error_in_it(tmp_path: Path) -> None:
    here = tmp_path / UNIT.name
    here.write_text(UNIT.read_text().replace(INSTALLED, program()))

    ended = subprocess.run(
        [require_client("systemd-analyze"), "verify", "--man=no", here], capture_output=True, text=True, check=False
    )

    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.client
def test_a_compromised_server_has_little_access(tmp_path: Path) -> None:
    report = run(
        [require_client("systemd-analyze"), "security", "--offline=yes", "--no-pager", UNIT],
        program_environment(tmp_path),
    )

    level = re.search(r"Overall exposure level for moorage.service: ([\d.]+)", report)
    assert level
    assert float(level[1]) <= EXPOSURE


def test_its_command_starts_a_server_that_becomes_ready(tmp_path: Path) -> None:
    [start], [wait] = lines_of("ExecStart"), lines_of("ExecStartPost")
    variables = dict(line.split("=", 1) for line in lines_of("Environment"))
    assert variables == {"MOORAGE_DATA": "/var/lib/moorage"}
    assert lines_of("StateDirectory") == ["moorage"]
    environment = program_environment(tmp_path, {"MOORAGE_DATA": str(tmp_path / "data")})
    environment["MOORAGE_LISTEN"] = f"127.0.0.1:{free_port()}"  # As /etc/moorage.env may set it.

    server = subprocess.Popen(
        start.replace(INSTALLED, program()).split(), env=environment, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        run(wait.replace(INSTALLED, program()).split(), environment)
        os.kill(server.pid, signal.SIGTERM)
        assert server.wait(PATIENCE_SECONDS) == 0
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGKILL)


def test_it_waits_longer_for_the_server_to_stop_than_requests_may_take() -> None:
    [stop] = lines_of("TimeoutStopSec")

    assert int(stop) > 60
    assert lines_of("KillMode") == ["mixed"]
