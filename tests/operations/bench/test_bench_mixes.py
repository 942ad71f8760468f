"""The workloads that mix requests: those of zb, those of registries in production, and reads beside pushes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from moorage_bench import runner
from moorage_bench.content import Scale
from moorage_bench.report import Report
from moorage_bench.runner import Plan
from moorage_bench.targets import Credentials, Target
from moorage_bench.workloads.table import WORKLOADS
from tests.operations.bench.registry_stub import RegistryStub, serving

TINY = Scale(seconds=0.02, megabyte=1024, zb_layers=16, connections=20, names=3, requests=60)


def run(stub: RegistryStub, scale: Scale, *names: str) -> Report:
    """One round of the workloads, after the warm-up."""
    chosen = [workload for workload in WORKLOADS if workload.name in names]
    with serving(stub) as (_, port):
        return runner.run(Plan([Target(f"127.0.0.1:{port}", Credentials())], chosen, 1, scale), lambda _: None)


@pytest.mark.parametrize(
    ("name", "layers", "size"),
    [
        ("zb-push-1mb-whole", 16, 1024),
        ("zb-push-10mb-streamed", 8, 10 * 1024),
        ("zb-mixed-1mb", 4, 1024),
        ("zb-pull-100mb", 0, 0),
    ],
)
def test_the_workloads_of_zb_push_as_many_layers_as_they_predict(name: str, layers: int, size: int) -> None:
    stub = RegistryStub()
    report = run(stub, TINY, name)

    workload = next(each for each in WORKLOADS if each.name == name)
    stored = [len(blob) for blob in stub.blobs.values() if len(blob) == size]
    pulled = name.startswith("zb-mixed")
    assert workload.stored(TINY) == layers * size
    assert len(stored) == 2 * layers + pulled  # The warm-up stores as much as the round.
    assert report.rows[0].series[0].values[0] > 0


def test_whole_layers_take_one_request_less_than_streamed_ones() -> None:
    report = run(RegistryStub(), TINY, "zb-push-100mb-whole", "zb-push-100mb-streamed")

    # Eight images, each with a layer, a config and a manifest.
    assert [row.series[0].requests for row in report.rows] == [[8 * (2 + 2 + 1)], [8 * (3 + 3 + 1)]]


def test_the_mix_of_production_has_the_shares_of_the_study() -> None:
    stub = RegistryStub()
    report = run(stub, replace(TINY, requests=1_000), "production-mix")

    sent = report.rows[0].series[0].requests[0]
    measured = stub.requests[-sent:]
    pushes = sum(line.startswith(("POST ", "PATCH ", "PUT ")) for line in measured)
    names = Counter(line.split("/")[3] for line in measured)
    assert abs(sent - 1_000) < 150
    assert 0.55 < sum(line.startswith("GET ") and "/tags/" not in line for line in measured) / sent < 0.65
    assert 0.2 < sum(line.startswith("HEAD ") for line in measured) / sent < 0.3
    assert 0.05 < pushes / sent < 0.16
    assert names["production-000"] > names["production-001"] > names["production-002"]


def test_delays_are_those_of_the_reads_alone() -> None:
    stub = RegistryStub()
    report = run(stub, TINY, "p99-beside-pushes")

    reads = stub.requests.count("GET /v2/bench/read/manifests/latest")
    assert any(line.startswith("PATCH /v2/bench/beside-3/") for line in stub.requests)
    assert 0 < report.rows[0].series[0].requests[0] < reads


def test_many_connections_send_at_least_one_request_each() -> None:
    report = run(RegistryStub(), TINY, "p99-1000-connections")

    assert report.rows[0].series[0].requests[0] >= 20
    assert report.rows[0].fewer
