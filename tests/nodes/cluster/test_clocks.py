"""Nodes whose clocks are days wrong, in both directions: all nodes use the database's time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from tests.api.ecr.pushing import push
from tests.nodes.cluster.conftest import Node, Settings, command, layer_of
from tests.support.aws import aws_client
from tests.support.clients import unavailable
from tests.support.images import Blob, image, layer
from tests.support.postgres import Cluster

DAY = 86_400


def wrong_clock(shift: str) -> Settings:
    """The environment of a program with another time than the machine."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
    if library is None:
        unavailable("libfaketime is not installed")
    return {"LD_PRELOAD": str(library), "FAKETIME": shift, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


@pytest.fixture(scope="module")
def wrong_nodes(
    nodes: list[Node], settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Node]]:
    """A node that is three days ahead, and one that is three days behind. Two others are right."""
    assert len(nodes) == 2
    folder = tmp_path_factory.mktemp("wrong")
    started = [Node(folder / shift, {**settings, **wrong_clock(shift)}) for shift in ("+3d", "-3d")]
    yield started
    for node in started:
        node.server.kill()  # The library breaks some sleeps, and a clean stop would be blamed for it.


def test_each_node_accepts_what_the_others_issue(nodes: list[Node], wrong_nodes: list[Node]) -> None:
    """Tokens, signed requests, uploads, and links to the blob store, whose clock is right."""
    with aws_client(nodes[0].server) as ecr:
        ecr.create_repository(repositoryName="team/clocks")
    all_nodes = [nodes[0], *wrong_nodes]
    for number, node in enumerate(all_nodes):
        with aws_client(node.server) as ecr:
            push(ecr, "team/clocks", image([layer(50_000, seed=number)]), f"{number}")
            (token,) = ecr.get_authorization_token()["authorizationData"]
        assert abs(token["expiresAt"].timestamp() - time.time() - DAY / 2) < 60
        client, other = node.docker(), all_nodes[number - 1].docker()
        other.authorization = client.authorization
        other.push_blob("team/clocks", Blob(f"of node {number}".encode(), "text/plain"))
        for tag in range(number + 1):
            assert other.get(f"/v2/team/clocks/manifests/{tag}").status == 200
            blob = layer(50_000, seed=tag)
            assert layer_of(client, "team/clocks", blob.digest) == blob.content


def test_every_written_time_is_the_database_s(
    nodes: list[Node], wrong_nodes: list[Node], database: Cluster, settings: Settings, tmp_path: Path
) -> None:
    """So the lease of a dead node ends in time, and nothing is collected too early or much too late."""
    with aws_client(nodes[0].server) as ecr:
        ecr.create_repository(repositoryName="team/times")
    for number, node in enumerate(wrong_nodes):
        client = node.docker()
        client.push("team/times", image(seed=number), f"{number}")
        assert client.post("/v2/team/times/blobs/uploads/").status == 202
    unneeded = layer(seed=77)
    nodes[0].docker().push_blob("team/times", unneeded)

    collected = command({**settings, **wrong_clock("+3d")}, tmp_path, "collect", "--dry-run")

    assert unneeded.digest not in collected
    with psycopg.connect(database.url("moorage")) as connection:
        columns = connection.execute(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = 'public' AND column_name LIKE '%\\_at'"
        ).fetchall()
        assert ("image", "pushed_at") in columns
        for table, column in columns:
            found = connection.execute(
                f"SELECT min({column}), max({column}) FROM {table} WHERE {column} < 1::bigint << 62".encode()
            ).fetchone()
            assert found is not None
            for moment in filter(None, found):
                wrong_by = moment / 1e6 - datetime.now(UTC).timestamp()
                assert -DAY < wrong_by < DAY + 60, (table, column, wrong_by / DAY)
