"""kill -9 of a server that replicates: everything arrives once, and nothing is visible in part."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.api.ecr.pushing import push, put, variants
from tests.api.ecr.replicating import Site, new_region
from tests.api.ecr.wire import client_of
from tests.conftest import StartServer
from tests.support.images import Image, index
from tests.support.receiver import Receiver, receiving
from tests.support.server import Server
from tests.support.waiting import wait_until

ROUNDS = 50
IMAGES = 8
BACKFILLS = 5


def pushed_images(source: Site, name: str) -> list[Image]:
    """Images with shared layers and tags, and an index of the first of them, in a new repository."""
    source.ecr.create_repository(repositoryName=name)
    shared = variants()
    pushed = [push(source.ecr, name, next(shared), "v0")]
    for number in range(1, IMAGES):
        pushed.append(next(shared))
        put(source.ecr, name, pushed[-1], f"v{number}")
    pushed.append(index(pushed[:2]))
    put(source.ecr, name, pushed[-1], "multi")
    return pushed


def check_nothing_is_in_part(target: Site, name: str) -> None:
    """Each image of the destination can be pulled, and has its tag."""
    for digest, tags in target.images(name).items():
        answer = target.ecr.batch_get_image(repositoryName=name, imageIds=[{"imageDigest": digest}])
        assert answer["failures"] == []
        assert len(tags) == 1


def kill_and_start(server: Server, chance: random.Random) -> None:
    time.sleep(chance.uniform(0, 1.5))  # Some moment of the work.
    server.kill()
    server.start()


def replications(receiver: Receiver) -> Counter[tuple[str, str, str]]:
    """How often each image and tag was reported as replicated; a repeated delivery of one event counts once."""
    details = {message.event["id"]: message.event["detail"] for message in receiver.messages}
    return Counter((each["repository-name"], each["image-digest"], each["image-tag"]) for each in details.values())


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_everything_arrives_once_although_the_server_is_killed(fresh_server: StartServer) -> None:
    """A job whose process was killed is taken again when its lease ends, after a minute: all wait for it at the end."""
    server, chance = fresh_server(), random.Random(1)
    source, target, *others = (
        Site(client_of(server, region=region), region) for region in (new_region() for _ in range(2 + BACKFILLS))
    )
    names = [f"team/app-{number}" for number in range(ROUNDS)]
    pushed: dict[str, list[Image]] = {}
    with receiving() as receiver:
        server.moorage("webhook", "add", receiver.url, "--events", "REPLICATE")
        source.replicate_to(target)
        for name in names:
            pushed[name] = pushed_images(source, name)
            kill_and_start(server, chance)
            check_nothing_is_in_part(target, name)
        for name in names:
            source.wait(name, *pushed[name])
            assert target.images(name) == source.images(name)
        wait_until(lambda: len(replications(receiver)) == ROUNDS * (IMAGES + 1))
        assert set(replications(receiver).values()) == {1}

    source.replicate_to(*others)
    ids = []
    for other in others:
        started = source.ecr.start_replication_backfill(destination=other.destination)
        ids.append(started["replicationBackfillId"])
        kill_and_start(server, chance)
    for backfill, other in zip(ids, others, strict=True):
        describe = partial(source.ecr.describe_replication_backfill_results, replicationBackfillId=backfill)
        wait_until(partial(_is_complete, describe))
        assert describe()["progress"]["completedReplicationCount"] == ROUNDS * (IMAGES + 1)
        assert all(other.images(name) == source.images(name) for name in names)


def _is_complete(describe: Callable[[], Any]) -> bool:
    return bool(describe()["status"] == "COMPLETE")
