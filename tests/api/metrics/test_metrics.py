"""Metrics for Prometheus: their values, and the address that serves them."""

from __future__ import annotations

import json
import os
import re
import signal
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from moorage.http.messages import CallDetails
from moorage.metrics import GAUGES, Meter
from tests.conftest import StartServer
from tests.support.aws import aws_client, docker_password
from tests.support.http_client import Docker
from tests.support.ports import free_port
from tests.support.server import Server
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[3]
Samples = dict[tuple[str, ...], float]


class Monitored:
    """A server that exposes metrics, and the port of the metrics."""

    def __init__(self, server: Server, port: int) -> None:
        self.server = server
        self.url = f"http://127.0.0.1:{port}/metrics"

    def scrape(self) -> dict[str, Samples]:
        """Values by metric name, then by label values in the order of the label names."""
        with urllib.request.urlopen(self.url, timeout=60) as answer:
            text = answer.read().decode()
        found: dict[str, Samples] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                labels = tuple(value for _, value in sorted(sample.labels.items()))
                found.setdefault(sample.name, {})[labels] = sample.value
        return found


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

    found = monitored.scrape()

    assert found["moorage_requests_total"]["api", "CreateRepository", "200"] == 1
    assert found["moorage_requests_total"]["api", "CreateRepository", "400"] == 1
    assert found["moorage_requests_total"]["docker", "ListImages", "200"] == 20
    assert found["moorage_request_seconds_count"]["docker", "ListImages"] == 20
    assert found["moorage_received_bytes_total"]["api",] > 0
    assert found["moorage_sent_bytes_total"]["docker",] == 20 * len(b'{"name":"team/app","tags":[]}')


def test_the_database_is_queried_at_each_scrape(monitored: Monitored) -> None:
    with aws_client(monitored.server) as ecr:
        ecr.create_repository(repositoryName="team/app")
        before = monitored.scrape()["moorage_uploads_open"]["open",]
        ecr.initiate_layer_upload(repositoryName="team/app")

    found = monitored.scrape()

    assert (before, found["moorage_uploads_open"]["open",]) == (0, 1)
    assert found["moorage_jobs_waiting"]


def test_counts_of_a_worker_that_died_stay(monitored: Monitored) -> None:
    with aws_client(monitored.server) as ecr:
        ecr.describe_registry()
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


# --- Documents about metrics ------------------------------------------------------------------------------------


def named_in(text: str) -> set[str]:
    return {re.sub(r"_(bucket|count|sum)$", "", name) for name in re.findall(r"\bmoorage_\w+", text)}


KNOWN = {
    *GAUGES,
    "moorage_request_seconds",
    *(f"moorage_{what}_total" for what in ("requests", "received_bytes", "sent_bytes")),
}


def test_the_document_lists_exactly_the_existing_metrics() -> None:
    assert named_in((ROOT / "docs" / "metrics.md").read_text()) == KNOWN


@pytest.mark.parametrize("path", ["deploy/prometheus/alerts.yml", "deploy/grafana/moorage.json"])
def test_alerts_and_dashboard_use_existing_metrics(path: str) -> None:
    text = (ROOT / path).read_text()

    assert named_in(text) <= KNOWN
    if path.endswith(".json"):
        assert json.loads(text)["title"] == "Moorage"
