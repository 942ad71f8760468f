"""Complete runs against a small registry: the requests of each workload, the method, the command."""

from __future__ import annotations

import os
import re
from pathlib import Path

import click
import msgspec
import pytest
from click.testing import CliRunner

from moorage.aws.signing import SigningKey
from moorage_bench import runner
from moorage_bench.command import bench
from moorage_bench.connections import BenchmarkError
from moorage_bench.content import MIB, Framing, Scale
from moorage_bench.progress import Progress
from moorage_bench.runner import Plan
from moorage_bench.targets import Credentials, Target
from moorage_bench.workloads.table import WORKLOADS
from tests.operations.bench.registry_stub import RegistryStub, serving

TINY = Scale(
    large=3 * MIB,
    parallel=MIB,
    memory=MIB,
    seconds=0.02,
    images=9,
    parts=3,
    part=MIB,
    tags=3_000,
    megabyte=1024,
    zb_layers=16,
    connections=20,
    names=3,
    requests=60,
)
KEY = Credentials(key=SigningKey("AKID", "secret", "us-east-1", "ecr"))
TOKEN = "Basic dG9rZW4="


def silent(_: str) -> None:
    pass


@pytest.mark.parametrize("framing", ["chunked", "length"])
def test_every_workload_runs_on_a_target_with_an_access_key(framing: Framing) -> None:
    """The stub rejects wrong digests, gaps between parts and missing tokens, so a run that ends was correct."""
    stub = RegistryStub(authorization=TOKEN)
    with serving(stub) as (host, port):
        target = Target(f"http://{host}:{port}", KEY, os.getpid())
        report = runner.run(Plan([target], WORKLOADS, 2, TINY, framing), silent)

    assert [row.workload for row in report.rows] == [workload.name for workload in WORKLOADS]
    assert all(value > 0 for row in report.rows for series in row.series for value in series.values)
    assert [len(row.series[0].values) for row in report.rows] == [
        1 if row.workload == "memory-16" else 2 for row in report.rows
    ]
    assert report.targets == {f"{host}:{port}": "stub"}
    assert stub.repositories >= {"bench/large", "bench/read", "bench/small-7", "bench/parts"}


def test_a_small_image_takes_the_twenty_five_requests_of_docker() -> None:
    stub = RegistryStub()
    small_images = [workload for workload in WORKLOADS if workload.name == "small-images"]
    with serving(stub) as (host, port):
        report = runner.run(Plan([Target(f"{host}:{port}", Credentials())], small_images, 1, TINY), silent)

    assert report.rows[0].series[0].requests == [9 * 25]
    methods = [line.split()[0] for line in stub.requests[1:]]
    assert {method: methods.count(method) for method in set(methods)} == {
        "HEAD": 108,
        "POST": 108,
        "PATCH": 108,
        "PUT": 126,
    }


def test_targets_take_turns_and_every_other_round_is_reversed() -> None:
    lines: list[str] = []
    heads = [workload for workload in WORKLOADS if workload.name == "blob-head"]
    with serving(RegistryStub()) as stub, serving(RegistryStub()) as other_stub:
        targets = [Target(f"127.0.0.1:{port}", Credentials()) for _, port in (stub, other_stub)]
        runner.run(Plan(targets, heads, 3, TINY), lines.append)

    results = [line for line in lines if line.startswith("blob-head") and "warm-up" not in line]
    order = [line.split()[1] for line in results]
    first, second = (f"{target.name}:" for target in targets)
    assert order == [first, second, second, first, first, second]


def test_each_line_counts_measurements_and_the_last_has_none_left() -> None:
    lines: list[str] = []
    plan = [workload for workload in WORKLOADS if workload.name in {"blob-head", "memory-16", "ecr-initiate"}]
    with serving(RegistryStub()) as (host, port):
        target = Target(f"{host}:{port}", Credentials(), os.getpid())
        runner.run(Plan([target], plan, 2, TINY), lines.append)

    counts = [re.findall(r"\((\d+) of (\d+)", line) for line in lines[1:]]
    assert counts == [[(str(number), "4")] for number in range(1, 5)]  # 3 of blob-head, 1 of memory-16
    assert "left" not in lines[-1]


def test_the_time_left_is_that_of_the_workloads_that_are_left() -> None:
    progress = Progress({"slow": 2, "fast": 3, "unknown": 1})
    progress.measured("slow", 100)
    progress.measured("fast", 1)

    assert progress.seconds_left() == 100 + 2 * 1 + 101 / 2
    assert str(progress) == "2 of 6, about 3 min left"
    progress.measured("slow", 100)
    progress.measured("unknown", 3)
    assert str(progress) == "4 of 6, about 2 s left"


def test_the_ecr_workloads_are_skipped_without_an_access_key() -> None:
    plan = [workload for workload in WORKLOADS if workload.name == "ecr-initiate"]
    with serving(RegistryStub()) as (host, port):
        report = runner.run(Plan([Target(f"{host}:{port}", Credentials())], plan, 1, TINY), silent)

    assert report.rows[0].series == []
    assert report.rows[0].skipped == {f"{host}:{port}": "has no access key"}


def test_a_missing_password_ends_the_run_at_once() -> None:
    with (
        serving(RegistryStub(authorization=TOKEN)) as (host, port),
        pytest.raises(BenchmarkError, match="answered 401"),
    ):
        runner.run(Plan([Target(f"{host}:{port}", Credentials("user", "wrong"))], WORKLOADS, 1, TINY), silent)


def test_a_plan_predicts_how_much_it_stores() -> None:
    layers = [each for each in WORKLOADS if each.name in {"push-1gib", "push-parallel", "memory-16"}]

    assert Plan([], layers, 2, TINY).stored() == (3 * 3 + 3 * 10 + 16) * MIB


@pytest.mark.parametrize("url", ["https://registry:5000", "http://registry/path", "http://"])
def test_a_target_that_cannot_be_measured_is_rejected(url: str) -> None:
    with pytest.raises(BenchmarkError, match="a target must be http://HOST:PORT"):
        Target(url, Credentials())


def test_the_command_prints_a_table_and_writes_json(tmp_path: Path) -> None:
    with (
        serving(RegistryStub(authorization=TOKEN)) as (_, ours),
        serving(RegistryStub(authorization="Basic dTpw")) as (_, theirs),
    ):
        arguments = [f"http://127.0.0.1:{ours}", "--against", f"http://127.0.0.1:{theirs}", "--against-username", "u"]
        arguments += [
            "--against-password",
            "p",
            "--quick",
            "--repeat",
            "1",
            "--only",
            "small-images",
            "--only",
            "ecr-upload-layer-part",
        ]
        environment = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret"}
        result = CliRunner().invoke(bench, [*arguments, "--json", str(tmp_path / "out.json")], env=environment)

    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[0].split()[:4] == ["workload", "unit", f"127.0.0.1:{ours}", f"127.0.0.1:{theirs}"]
    document = msgspec.json.decode((tmp_path / "out.json").read_bytes())
    assert [row["workload"] for row in document["rows"]] == ["small-images", "ecr-upload-layer-part"]
    assert list(document["rows"][0]["ratios"]) == [f"127.0.0.1:{theirs}"]


def test_a_user_name_on_the_command_line_overrides_a_key_in_the_environment() -> None:
    stub = RegistryStub(authorization="Basic dTpw")
    with serving(stub) as (_, port):
        arguments = [f"127.0.0.1:{port}", "--username", "u", "--password", "p", "--only", "ecr-initiate"]
        result = CliRunner().invoke(bench, arguments, env={"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "s"})

    assert result.exit_code == 0, result.output
    assert "GetAuthorizationToken" not in stub.requests
    assert "has no access key; not measured: ecr-initiate" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["http://127.0.0.1:1"], "cannot be reached"),
        (["http://127.0.0.1:1", "--against", "127.0.0.1:1"], "Targets must be distinct"),
        (["--against-pid", "1"], "There are more --against-pid than --against"),
        (["--only", "everything"], "is not one of"),
    ],
)
def test_a_wrong_argument_is_reported_without_a_traceback(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(bench, arguments, env={"AWS_ACCESS_KEY_ID": None})

    assert result.exit_code in {1, 2}
    assert message in result.output


def test_the_document_names_every_workload_and_every_option() -> None:
    text = (Path(__file__).parents[3] / "docs" / "benchmark.md").read_text()
    options = [name for parameter in bench.params if isinstance(parameter, click.Option) for name in parameter.opts]

    missing = [name for name in [*(workload.name for workload in WORKLOADS), *options] if f"`{name}" not in text]

    assert missing == []


def test_a_registry_without_the_ecr_api_has_its_own_message() -> None:
    """CNCF Distribution answers every request for `/` with 200 and no body."""
    with serving(lambda _: (200, {}, b"")) as (_, port):
        arguments = [f"127.0.0.1:{port}", "--access-key", "AKID", "--secret-key", "s"]
        result = CliRunner().invoke(bench, arguments)

    assert result.exit_code == 1
    assert "the response to GetAuthorizationToken has no authorizationData" in result.output
