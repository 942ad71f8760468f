"""Metrics for Prometheus: their values, and the address that serves them."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import cast

import pytest

from moorage.domain.units import SECOND
from moorage.http.messages import CallDetails
from moorage.metadata.database import Transaction
from moorage.metadata.gauges import StoredBytes
from moorage.metrics import GAUGES, CountsCollector, Meter
from tests.api.ecr.pushing import begin, push, send_two_bytes
from tests.conftest import StartServer
from tests.support.aws import aws_client, docker_password
from tests.support.http_client import Docker
from tests.support.images import image
from tests.support.metrics import Monitored
from tests.support.ports import free_port
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[3]


@pytest.fixture
def monitored(fresh_server: StartServer) -> Monitored:
    port = free_port()
    return Monitored(fresh_server(extra_args=["--metrics", f"127.0.0.1:{port}", "--workers", "2"]), port)


def test_requests_of_all_workers_are_added_up(monitored: Monitored) -> None:
    with aws_client(monitored.server) as ecr:
        ecr.create_repository(repositoryName="team/app")
        password = docker_password(ecr)
        with pytest.raises(ecr.exceptions.RepositoryAlreadyExistsException):
            ecr.create_repository(repositoryName="team/app")
    for _ in range(20):  # One connection each, so that both workers serve some.
        docker = Docker(monitored.server.host, monitored.server.port, password)
        assert docker.get("/v2/team/app/tags/list").status == 200

    # A worker counts a request after its response, so a client may be earlier.
    sent = 20 * len(b'{"name":"team/app","tags":[]}')
    expected = {
        ("api", "CreateRepository", "200"): 1,
        ("api", "CreateRepository", "400"): 1,
        ("docker", "ListImages", "200"): 20,
    }
    wait_until(lambda: expected.items() <= monitored.scrape().get("moorage_requests_total", {}).items())
    wait_until(lambda: monitored.scrape()["moorage_sent_bytes_total"]["docker",] == sent)
    found = monitored.scrape()
    assert found["moorage_request_seconds_count"]["docker", "ListImages"] == 20
    assert found["moorage_received_bytes_total"]["api",] > 0


def test_the_database_is_queried_at_each_scrape(monitored: Monitored) -> None:
    with aws_client(monitored.server) as ecr:
        ecr.create_repository(repositoryName="team/app")
        before = monitored.scrape()["moorage_uploads_open"]["open",]
        send_two_bytes(ecr, "team/app", begin(ecr, "team/app"))

    found = monitored.scrape()

    assert (before, found["moorage_uploads_open"]["open",]) == (0, 1)
    assert found["moorage_jobs_waiting"]


def test_stored_bytes_count_each_layer_once_and_open_uploads(monitored: Monitored) -> None:
    pushed = image(seed=28)
    with aws_client(monitored.server) as ecr:
        for name in ("team/app", "team/copy"):
            ecr.create_repository(repositoryName=name)
            push(ecr, name, pushed, "v1")
        send_two_bytes(ecr, "team/app", begin(ecr, "team/app"))

    found = monitored.scrape()["moorage_stored_bytes"]

    assert found == {("layers",): sum(len(blob.content) for blob in pushed.blobs), ("uploads",): 2}


def test_a_count_of_stored_bytes_is_used_for_five_minutes() -> None:
    counted: list[str] = []

    class Counting:
        def one(self, statement: str) -> tuple[int]:
            counted.append(statement)
            return (len(counted),)

    stored, tx = StoredBytes(), cast("Transaction", Counting())
    first = stored.gauge(tx, 1_000 * SECOND)

    assert stored.gauge(tx, 1_299 * SECOND) == first
    assert stored.gauge(tx, 1_300 * SECOND) != first
    assert stored.gauge(tx, 999 * SECOND)["layers"] == 5, "the clock went back"


def test_a_scrape_waits_for_a_worker_process_that_creates_its_file(tmp_path: Path) -> None:
    file = tmp_path / "counter_1.db"
    file.touch()
    creation = threading.Timer(0.05, lambda: os.truncate(file, 4096))
    creation.start()

    found = list(CountsCollector(str(tmp_path)).collect())

    creation.join()
    assert found == []


def test_counts_of_a_worker_that_died_stay(monitored: Monitored) -> None:
    with aws_client(monitored.server) as ecr:
        ecr.describe_registry()
    described = ("api", "DescribeRegistry", "200")
    wait_until(lambda: described in monitored.scrape().get("moorage_requests_total", {}))
    before = monitored.scrape()["moorage_requests_total"]["api", "DescribeRegistry", "200"]

    old = set(monitored.server.workers())
    for pid in old:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: old.isdisjoint(monitored.server.workers()))
    wait_until(lambda: monitored.scrape()["moorage_worker_deaths_total"][()] == len(old))

    assert monitored.scrape()["moorage_requests_total"]["api", "DescribeRegistry", "200"] == before == 1


def test_the_registry_endpoint_does_not_expose_metrics(monitored: Monitored) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{monitored.server.url}/metrics", timeout=60)


def test_callers_cannot_create_unlimited_metrics() -> None:
    class Sent:
        path = "/"

        class body:  # noqa: N801 - an attribute of a request
            received = 0

    meter, details = Meter(), CallDetails()
    for number in range(1000):
        details.operation = f"sts:Invented{number}"
        meter.count(Sent(), details, 400, 0.001, 0)

    names = {sample.labels["operation"] for family in meter._requests.collect() for sample in family.samples}
    assert len(names) == 201
    assert "other" in names


def test_rules_cannot_create_unlimited_metrics() -> None:
    """A rule can name any registry at AWS or Azure."""
    meter = Meter()
    for number in range(1000):
        meter.count_fetch(f"name{number}.azurecr.io", "manifest", "success")

    names = {sample.labels["upstream"] for family in meter._fetches.collect() for sample in family.samples}
    assert len(names) == 101
    assert "other" in names


# --- Documents about metrics ------------------------------------------------------------------------------------


def named_in(text: str) -> set[str]:
    return {re.sub(r"_(bucket|count|sum)$", "", name) for name in re.findall(r"\bmoorage_\w+", text)}


KNOWN = {
    *GAUGES,
    "moorage_request_seconds",
    "moorage_worker_deaths_total",
    *(f"moorage_{what}_total" for what in ("requests", "received_bytes", "sent_bytes")),
    "moorage_pull_through_fetches_total",
    "moorage_pull_through_hits_total",
}


def test_the_document_lists_exactly_the_existing_metrics() -> None:
    assert named_in((ROOT / "docs" / "metrics.md").read_text()) == KNOWN


@pytest.mark.parametrize("path", ["deploy/prometheus/alerts.yml", "deploy/grafana/moorage.json"])
def test_alerts_and_dashboard_use_existing_metrics(path: str) -> None:
    text = (ROOT / path).read_text()

    assert named_in(text) <= KNOWN
    if path.endswith(".json"):
        assert json.loads(text)["title"] == "Moorage"
