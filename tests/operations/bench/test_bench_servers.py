"""Registries that the benchmark starts: each on its own port, with an empty folder, stopped at the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from moorage_bench.command import bench
from moorage_bench.connections import BenchmarkError, exchange
from moorage_bench.content import Content, Scale
from moorage_bench.peers.kinds import MOORAGE, OURS, PEERS
from moorage_bench.peers.servers import Fleet, Server
from moorage_bench.runner import Plan, run
from moorage_bench.targets import DOCKER, Abilities
from moorage_bench.workloads.stages import Stage
from moorage_bench.workloads.table import WORKLOADS
from tests.support.clients import require_client

TINY = Scale(seconds=0.05, megabyte=10_000, zb_layers=8)


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_our_own_server_is_measured_with_its_key_and_leaves_nothing(tmp_path: Path) -> None:
    server = Server(MOORAGE, OURS, tmp_path)
    names = {"manifest-get", "ecr-put-image", "ecr-create-repository"}
    chosen = [workload for workload in WORKLOADS if workload.name in names]
    with Fleet([server]) as fleet:
        process = server.target.process
        report = run(Plan(fleet.targets, chosen, 1, TINY, fleet=fleet, space=1 << 30), lambda _: None)

    assert [len(row.series) for row in report.rows] == [1, 1, 1]
    assert report.targets["moorage"].startswith("moorage, version")
    assert process is not None
    assert not exists(process)
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_is_stopped_leaves_no_server_and_no_folder(tmp_path: Path) -> None:
    arguments = ["bench", "--start", "--folder", str(tmp_path), "--only", "blob-head"]
    with subprocess.Popen([sys.executable, "-m", "moorage", *arguments], stderr=subprocess.PIPE, text=True) as run:
        assert run.stderr is not None
        assert run.stderr.readline().startswith("each target will store")
        children = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
        run.terminate()
        assert run.wait() == 128 + signal.SIGTERM

    assert children != []
    assert not any(exists(int(child)) for child in children)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.client
def test_distribution_is_started_beside_it_by_the_command(tmp_path: Path) -> None:
    program = require_client("registry")
    arguments = ["--start", "--peer", f"distribution={program}", "--folder", str(tmp_path), "--quick", "--repeat", "1"]
    result = CliRunner().invoke(bench, [*arguments, "--only", "blob-head", "--charts", str(tmp_path / "charts")])

    assert result.exit_code == 0, result.output
    document = msgspec.json.decode((tmp_path / "charts" / "comparison.json").read_bytes())
    assert list(document["targets"]) == ["moorage", "distribution"]
    expected = "moorage bench --start --peer distribution=PROGRAM --quick --repeat 1 --only blob-head"
    assert document["command"] == expected
    assert [path.name for path in tmp_path.iterdir()] == ["charts"]


def test_servers_start_again_with_empty_folders_before_they_store_too_much(tmp_path: Path) -> None:
    lines: list[str] = []
    pushes = [workload for workload in WORKLOADS if workload.name == "zb-push-10mb-whole"]
    server = Server(MOORAGE, OURS, tmp_path)
    with Fleet([server]) as fleet:
        first = server.target.process
        plan = Plan(fleet.targets, pushes, 3, TINY, fleet=fleet, space=2 * pushes[0].stored(TINY))
        report = run(plan, lines.append)
        stored = sum(path.stat().st_size for path in (server.data / "blobs").rglob("*") if path.is_file())

    assert len(report.rows[0].series[0].values) == 3
    assert lines.count("the servers start again with empty folders") >= 1
    assert server.target.process != first
    assert stored < 3 * pushes[0].stored(TINY)


def test_a_renewed_server_has_nothing_of_before(tmp_path: Path) -> None:
    read = next(workload for workload in WORKLOADS if workload.name == "blob-head")
    server = Server(MOORAGE, OURS, tmp_path)
    with Fleet([server]) as fleet:
        stage = Stage(server.target, Content(TINY))
        read.prepare(stage)
        fleet.renew()
        response = exchange(server.target.address, server.target.request("GET", "/v2/_catalog"))

    assert msgspec.json.decode(response.body) == {"repositories": []}


def test_a_program_that_ends_at_once_is_reported_with_its_output(tmp_path: Path) -> None:
    program = tmp_path / "zot"
    program.write_text("#!/bin/sh\necho no such configuration\nexit 1\n")
    program.chmod(0o755)
    with pytest.raises(BenchmarkError, match="zot did not start: no such configuration"):
        Server(PEERS["zot"], str(program), tmp_path).start()

    assert list(tmp_path.iterdir()) == [program]


def test_the_version_in_a_line_of_a_log_is_found(tmp_path: Path) -> None:
    program = tmp_path / "zot"
    line = '{"time":"2026-11-30","level":"info","message":"version","commit":"6d19b445","binary-type":"minimal"}'
    program.write_text(f"#!/bin/sh\necho '{line}'\n")
    program.chmod(0o755)

    assert PEERS["zot"].version_of(str(program)) == "6d19b445 minimal"


def test_a_version_has_no_path(tmp_path: Path) -> None:
    program = tmp_path / "registry"
    program.write_text('#!/bin/sh\necho "$0 v3.0.0"\n')
    program.chmod(0o755)

    assert PEERS["distribution"].version_of(str(program)) == "registry v3.0.0"


def test_a_missing_program_is_reported(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="zot: /nowhere/zot cannot be run"):
        Server(PEERS["zot"], "/nowhere/zot", tmp_path)


def test_an_emulator_is_measured_only_with_what_it_has(tmp_path: Path) -> None:
    """Any program can stand for moto here: it is not started."""
    target = Server(PEERS["moto"], sys.executable, tmp_path).target
    reasons = {workload.name: workload.reason_to_skip(target) for workload in WORKLOADS}

    assert target.abilities != Abilities(frozenset({DOCKER}))
    assert reasons["manifest-get"] == "does not have the protocol docker"
    assert reasons["ecr-put-image"] == "has no access key"  # It gets one when it starts.


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["http://127.0.0.1:1", "--start"], "Pass a URL or --start"),
        (["--start", "--peer", "zot"], "must be NAME=PROGRAM"),
        (["--start", "--peer", "harbor=/bin/true"], "must be NAME=PROGRAM with one of these names: zot, distribution"),
    ],
)
def test_wrong_peers_are_reported(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(bench, arguments)

    assert result.exit_code == 2
    assert message in result.output
