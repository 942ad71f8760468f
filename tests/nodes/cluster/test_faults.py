"""Nodes whose database is unreachable, disconnected, not migrated, or of another registry."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.api.ecr.wire import refusal
from tests.nodes.cluster.conftest import Node, Settings, command
from tests.support.http_client import Docker
from tests.support.images import image
from tests.support.ports import free_port
from tests.support.postgres import Cluster
from tests.support.waiting import wait_until


def test_a_node_is_unavailable_while_the_database_is_down_and_recovers_by_itself(
    ecr: Any, nodes: list[Node], database: Cluster
) -> None:
    ecr.create_repository(repositoryName="team/away")
    clients, pushed = [node.docker() for node in nodes], image(seed=1)
    clients[0].push("team/away", pushed, "v1")

    database.stop("immediate")
    for client in clients:
        answer = client.get("/v2/team/away/manifests/v1")
        assert (answer.status, answer.error_codes(), "Retry-After" in answer.headers) == (503, ["UNAVAILABLE"], True)
        assert client.post("/v2/team/away/blobs/uploads/").status == 503
        assert (client.get("/readyz").status, client.get("/healthz").status) == (503, 200)
    scraped = nodes[0].metrics.get("/metrics")
    assert (scraped.status, b"moorage_requests" in scraped.body) == (200, True)
    database.start()

    for client in clients:
        assert client.get("/v2/team/away/manifests/v1").body == pushed.manifest.content
        client.push("team/away", image(seed=2), "v2")
        assert client.get("/readyz").status == 200


def test_nodes_of_a_read_only_database_refuse_changes_and_serve_pulls(
    ecr: Any, nodes: list[Node], database: Cluster
) -> None:
    """As on a standby after a failover, or when a provider protects a full disk."""
    ecr.create_repository(repositoryName="team/read-only")
    clients, pushed = [node.docker() for node in nodes], image(seed=1)
    clients[0].push("team/read-only", pushed, "v1")

    with read_only(database):
        # PostgreSQL tells each of its processes, of which a node may use several.
        wait_until(lambda: all(client.get("/readyz/writing").status == 503 for client in clients * 5))
        wait_until(lambda: all(begun(client) == 503 for client in clients * 5))
        for client in clients * 3:
            answer = client.post("/v2/team/read-only/blobs/uploads/")
            expected = (503, ["UNAVAILABLE"], True)
            assert (answer.status, answer.error_codes(), "Retry-After" in answer.headers) == expected
            assert client.get("/v2/team/read-only/manifests/v1").body == pushed.manifest.content
            assert client.get("/readyz").status == 200
            # Nodes that open new connections find no server that accepts changes.
            database.cut_connections(database.url("moorage"))
            assert client.get("/v2/team/read-only/manifests/v1").body == pushed.manifest.content
        refused = refusal(ecr.create_repository, repositoryName="team/other")
        assert (refused.status, refused.code) == (503, "UnavailableException")

    wait_until(lambda: all(client.get("/readyz/writing").status == 200 for client in clients * 5))
    wait_until(lambda: all(begun(client) == 202 for client in clients * 5))
    for client in clients:
        client.push("team/read-only", image(seed=2), "v2")
    for node in nodes:
        assert "Traceback" not in node.server.output()
        assert node.server.output().count('"not-ready-for-writing"') <= 2


def begun(client: Docker) -> int:
    """The status of the response to a new upload."""
    return client.post("/v2/team/read-only/blobs/uploads/").status


@contextmanager
def read_only(database: Cluster) -> Iterator[None]:
    def switch(value: str) -> None:
        database.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
        database.execute("SELECT pg_reload_conf()")

    switch("on")
    try:
        yield
    finally:
        switch("off")


def test_connections_are_counted_over_all_nodes(nodes: list[Node]) -> None:
    for node in nodes:
        assert node.docker().get("/readyz").status == 200

    idle = re.search(rb'moorage_database_connections\{state="idle"\} (\d+)', nodes[0].metrics.get("/metrics").body)

    assert idle is not None
    assert int(idle[1]) >= 2


def test_clients_do_not_notice_that_connections_were_cut(ecr: Any, nodes: list[Node], database: Cluster) -> None:
    ecr.create_repository(repositoryName="team/cut")
    clients = [node.docker() for node in nodes]
    for number in range(5):
        clients[number % 2].push("team/cut", image(seed=number), "latest")
        database.cut_connections(database.url("moorage"))
        assert clients[1 - number % 2].get("/v2/team/cut/manifests/latest").body == image(seed=number).manifest.content


def test_a_node_does_not_start_on_a_database_that_is_not_ready_for_it(
    nodes: list[Node], settings: Settings, database: Cluster, tmp_path: Path
) -> None:
    def serve(**other: str) -> str:
        started = time.monotonic()
        listen = f"127.0.0.1:{free_port()}"
        text = command({**settings, **other}, tmp_path, "serve", "--listen", listen, code=1)
        assert time.monotonic() - started < 100
        return text

    database.execute("CREATE DATABASE empty")
    assert "run `moorage migrate` first" in serve(MOORAGE_DATABASE=database.url("empty"))
    assert "database is not available" in serve(MOORAGE_DATABASE="postgresql://127.0.0.1:1/moorage")
    other_key = base64.b64encode(bytes(32)).decode()
    assert "encrypted with another master key" in serve(MOORAGE_MASTER_KEY=other_key)


def test_an_invalid_address_is_rejected_by_its_name(settings: Settings, tmp_path: Path) -> None:
    text = command({**settings, "MOORAGE_DATABASE": "mysql://db"}, tmp_path, "migrate", code=2)

    assert "MOORAGE_DATABASE must be postgresql://USER@HOST:PORT/NAME" in text
