"""kill -9 of a node in the middle of eight pushes, repeatedly. A new node replaces it each time."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.nodes.cluster.conftest import Settings, command, layer_of
from tests.nodes.cluster.fleet import Fleet, Member, push_by_api, push_by_docker
from tests.support.images import Image, image, layer
from tests.support.object_store import ObjectStore
from tests.support.postgres import Cluster

REPOSITORY = "team/kills"
CLIENTS = 8
LARGE = 5_600_000
"""Two layers per round, larger than the minimum size of a part in S3."""

REQUESTS = range(8, 80)
"""After how many requests of a round the node is killed. A round has about a hundred."""

Pushed = dict[str, Image]


@pytest.fixture
def fleet(
    settings: Settings, database: Cluster, object_store: ObjectStore, prefix: str, tmp_path: Path
) -> Iterator[Fleet]:
    """Two nodes with rows and objects that no other test uses."""
    database.execute("DROP DATABASE IF EXISTS kills")
    database.execute("CREATE DATABASE kills")
    where = {"MOORAGE_DATABASE": database.url("kills"), "MOORAGE_BLOBS": object_store.setting(f"{prefix}-kills")}
    members = Fleet(tmp_path, {**settings, **where})
    command(members.settings, tmp_path, "migrate")
    members.start_member()
    members.start_member()
    members.call("create_repository", repositoryName=REPOSITORY)
    yield members
    members.stop()


@pytest.mark.parametrize(
    "rounds",
    [3, pytest.param(100, marks=[pytest.mark.long, pytest.mark.timeout(3600)])],
    ids=lambda rounds: f"{rounds}",
)
def test_acknowledged_images_exist_and_nothing_else_remains(
    fleet: Fleet, object_store: ObjectStore, prefix: str, tmp_path: Path, rounds: int
) -> None:
    chance, kept = random.Random(rounds), Pushed()
    for number in range(rounds):
        pushed = pushes_with_a_kill(fleet, number, chance)
        check_whole(fleet.members[0], pushed)
        if number % 2:
            delete(fleet, pushed)
        else:
            kept |= pushed
        if number % 10 == 9 or number == rounds - 1:
            command(fleet.settings, tmp_path, "collect", "--grace", "0", "--upload-life", "0")
            check_that_nothing_else_remains(fleet.settings, object_store, f"{prefix}-kills")
    assert fleet.lost >= rounds, "no client noticed a kill"
    check_whole(fleet.members[-1], kept)


def pushes_with_a_kill(fleet: Fleet, number: int, chance: random.Random) -> Pushed:
    """The pushed images by tag. Meanwhile the node that all clients used first was killed and replaced."""
    shared = layer(20_000, seed=number)
    sizes = [LARGE, LARGE, *[3_000] * (CLIENTS - 2)]
    images = [image([shared, layer(size, seed=1_000 + number * CLIENTS + at)]) for at, size in enumerate(sizes)]
    pushers = [push_by_docker, push_by_api] * (CLIENTS // 2)
    with ThreadPoolExecutor(CLIENTS) as threads:
        limit = fleet.requests + chance.choice(REQUESTS)
        pushing = [
            threads.submit(push, fleet, REPOSITORY, each, f"{number}-{at}")
            for at, (push, each) in enumerate(zip(pushers, images, strict=True))
        ]
        fleet.wait_for_requests(limit)
        fleet.kill(fleet.members[0])
        fleet.start_member()
    assert [done.exception() for done in pushing] == [None] * CLIENTS
    return {f"{number}-{at}": each for at, each in enumerate(images)}


def check_whole(member: Member, pushed: Pushed) -> None:
    """Check every manifest and all that it names, byte for byte."""
    for tag, each in pushed.items():
        assert member.docker.get(f"/v2/{REPOSITORY}/manifests/{tag}").body == each.manifest.content, tag
        for blob in each.blobs:
            assert layer_of(member.docker, REPOSITORY, blob.digest) == blob.content, (tag, blob.digest)


def delete(fleet: Fleet, pushed: Pushed) -> None:
    images = [{"imageDigest": each.manifest.digest} for each in pushed.values()]
    answer = fleet.call("batch_delete_image", repositoryName=REPOSITORY, imageIds=images)
    assert answer["failures"] == []


def check_that_nothing_else_remains(settings: Settings, store: ObjectStore, prefix: str) -> None:
    """Check that every object has its row, and that every row is needed."""
    with psycopg.connect(settings["MOORAGE_DATABASE"]) as connection:

        def rows(statement: str) -> list[tuple[Any, ...]]:
            return connection.execute(statement.encode()).fetchall()

        assert store.keys(prefix) == sorted(f"{prefix}/{key}" for (key,) in rows("SELECT storage_key FROM blob"))
        assert store.uploads(prefix) == []
        for table in ("upload", "upload_state", "removed_bytes", "removed_image"):
            assert rows(f"SELECT * FROM {table}") == [], table
        seen = rows("SELECT DISTINCT blob_id FROM repository_layer ORDER BY 1")
        assert (
            seen
            == rows("SELECT id FROM blob ORDER BY 1")
            == rows("SELECT DISTINCT blob_id FROM image_layer ORDER BY 1")
        )
