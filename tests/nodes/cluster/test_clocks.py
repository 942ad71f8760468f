"""Nodes whose machines' clocks are days wrong, in both directions: the database's time is everybody's."""

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
    """What lets a program have another time than the machine."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
    if library is None:
        unavailable("libfaketime is not installed")
    return {"LD_PRELOAD": str(library), "FAKETIME": shift, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


@pytest.fixture(scope="module")
def wrong(nodes: list[Node], settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Node]]:
    """A node that is three days ahead, and one that is three days behind; two others are right."""
    assert len(nodes) == 2
    folder = tmp_path_factory.mktemp("wrong")
    started = [Node(folder / shift, {**settings, **wrong_clock(shift)}) for shift in ("+3d", "-3d")]
    yield started
    for node in started:
        node.server.kill()  # the library makes a mess of some sleeps, which an orderly end would be blamed for


def test_what_one_node_gives_out_the_others_take(nodes: list[Node], wrong: list[Node]) -> None:
    """Tokens, signed requests, uploads, and links to the store, whose own clock is right."""
    with aws_client(nodes[0].server) as ecr:
        ecr.create_repository(repositoryName="team/clocks")
    everybody = [nodes[0], *wrong]
    for number, node in enumerate(everybody):
        with aws_client(node.server) as ecr:
            push(ecr, "team/clocks", image([layer(50_000, seed=number)]), f"{number}")
            (token,) = ecr.get_authorization_token()["authorizationData"]
        assert abs(token["expiresAt"].timestamp() - time.time() - DAY / 2) < 60
        door, other = node.docker(), everybody[number - 1].docker()
        other.authorization = door.authorization
        other.push_blob("team/clocks", Blob(f"of node {number}".encode(), "text/plain"))
        for tag in range(number + 1):
            assert other.get(f"/v2/team/clocks/manifests/{tag}").status == 200
            blob = layer(50_000, seed=tag)
            assert layer_of(door, "team/clocks", blob.digest) == blob.content


def test_every_time_that_is_written_is_the_database_s(
    nodes: list[Node], wrong: list[Node], database: Cluster, settings: Settings, tmp_path: Path
) -> None:
    """So a lease of a node that dies ends in time, and nothing goes before its time, or long after it."""
    with aws_client(nodes[0].server) as ecr:
        ecr.create_repository(repositoryName="team/times")
    for number, node in enumerate(wrong):
        door = node.docker()
        door.push("team/times", image(seed=number), f"{number}")
        assert door.post("/v2/team/times/blobs/uploads/").status == 202
    one = layer(seed=77)
    nodes[0].docker().push_blob("team/times", one)

    collected = command({**settings, **wrong_clock("+3d")}, tmp_path, "collect", "--dry-run")

    assert one.digest not in collected
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
