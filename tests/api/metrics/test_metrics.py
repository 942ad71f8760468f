"""What Prometheus is told, and by whom alone."""

from __future__ import annotations

import json
import re
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable
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

ROOT = Path(__file__).parents[3]
Samples = dict[tuple[str, ...], float]


class Counted:
    """A server that counts, and where."""

    def __init__(self, server: Server, port: int) -> None:
        self.server = server
        self.url = f"http://127.0.0.1:{port}/metrics"

    def scrape(self) -> dict[str, Samples]:
        """Values by name, then by the values of the labels in the order of their names."""
        with urllib.request.urlopen(self.url, timeout=10) as answer:
            text = answer.read().decode()
        found: dict[str, Samples] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                labels = tuple(value for _, value in sorted(sample.labels.items()))
                found.setdefault(sample.name, {})[labels] = sample.value
        return found


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.fixture
def counted(fresh_server: StartServer) -> Counted:
    port = free_port()
    return Counted(fresh_server(extra_args=["--metrics", f"127.0.0.1:{port}", "--workers", "2"]), port)


def test_requests_of_all_workers_are_added_up(counted: Counted) -> None:
    with aws_client(counted.server) as ecr:
        ecr.create_repository(repositoryName="team/app")
        password = docker_password(ecr)
        with pytest.raises(ecr.exceptions.RepositoryAlreadyExistsException):
            ecr.create_repository(repositoryName="team/app")
    for _ in range(20):  # Each on a connection of its own, so that both workers get some.
        door = Docker(counted.server.host, counted.server.port, password)
        assert door.get("/v2/team/app/tags/list").status == 200

    found = counted.scrape()

    assert found["moorage_requests_total"]["api", "CreateRepository", "200"] == 1
    assert found["moorage_requests_total"]["api", "CreateRepository", "400"] == 1
    assert found["moorage_requests_total"]["docker", "ListImages", "200"] == 20
    assert found["moorage_request_seconds_count"]["docker", "ListImages"] == 20
    assert found["moorage_received_bytes_total"]["api",] > 0
    assert found["moorage_sent_bytes_total"]["docker",] == 20 * len(b'{"name":"team/app","tags":[]}')


def test_the_database_is_asked_at_each_scrape(counted: Counted) -> None:
    with aws_client(counted.server) as ecr:
        ecr.create_repository(repositoryName="team/app")
        before = counted.scrape()["moorage_uploads_open"]["open",]
        ecr.initiate_layer_upload(repositoryName="team/app")

    found = counted.scrape()

    assert (before, found["moorage_uploads_open"]["open",]) == (0, 1)
    assert found["moorage_jobs_waiting"]


def test_counts_of_a_worker_that_died_stay(counted: Counted) -> None:
    with aws_client(counted.server) as ecr:
        ecr.describe_registry()
    before = counted.scrape()["moorage_requests_total"]["api", "DescribeRegistry", "200"]

    old = set(counted.server.workers())
    assert counted.server.process is not None
    counted.server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: old.isdisjoint(counted.server.workers()))

    assert counted.scrape()["moorage_requests_total"]["api", "DescribeRegistry", "200"] == before == 1


def test_the_registry_itself_tells_nothing(counted: Counted) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{counted.server.url}/metrics", timeout=10)


def test_a_caller_cannot_make_metrics_without_end() -> None:
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


# --- What is said about them ------------------------------------------------------------------------------------


def named_in(text: str) -> set[str]:
    return {re.sub(r"_(bucket|count|sum)$", "", name) for name in re.findall(r"\bmoorage_\w+", text)}


KNOWN = {
    *GAUGES,
    "moorage_request_seconds",
    *(f"moorage_{what}_total" for what in ("requests", "received_bytes", "sent_bytes")),
}


def test_the_document_has_every_metric_and_no_other() -> None:
    assert named_in((ROOT / "docs" / "metrics.md").read_text()) == KNOWN


@pytest.mark.parametrize("path", ["deploy/prometheus/alerts.yml", "deploy/grafana/moorage.json"])
def test_rules_and_dashboard_ask_for_what_there_is(path: str) -> None:
    text = (ROOT / path).read_text()

    assert named_in(text) <= KNOWN
    if path.endswith(".json"):
        assert json.loads(text)["title"] == "Moorage"
