"""Each node is stopped and replaced while clients push, pull and call: not one request fails."""

from __future__ import annotations

import itertools
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import psycopg
import pytest

from tests.api.ecr.pushing import push
from tests.nodes.cluster.balancer import balancer_of
from tests.nodes.cluster.conftest import Node, Settings, layer_of
from tests.support.aws import aws_client
from tests.support.http_client import Docker
from tests.support.images import image, layer
from tests.support.postgres import Cluster
from tests.support.server import Server
from tests.support.waiting import wait_until

REPOSITORY = "team/rolling"
DRAIN = ("--drain", "1h")
"""A second SIGTERM ends it, when the balancer has noticed the first one. So no machine is too slow."""

_REST_SECONDS = 0.05
"""The pause between a client's operations, so that other processes get time and nodes start quickly."""


class ServerContext(Server):
    """The balancer in the role of a server that another process started."""

    def __init__(self, port: int, like: Server) -> None:
        self.host, self.port = like.host, port
        address = f"http://localhost:{port}"
        self.environment = like.environment | {"AWS_ENDPOINT_URL_ECR": address, "AWS_ENDPOINT_URL_STS": address}


class Load:
    """Clients that work until the block ends. `done` counts the operations of each."""

    def __init__(self, context: ServerContext, password: str) -> None:
        self._front = context
        self._door = Docker(context.host, context.port, password)
        self._ended = threading.Event()
        self.done = {"pushed": 0, "pushed by the API": 0, "pulled": 0, "called": 0}
        self.failures: list[BaseException] = []
        works = [self._push, self._push_by_api, self._pull, self._pull, self._call]
        self._threads = [threading.Thread(target=self._again_and_again, args=(work,)) for work in works]

    def __enter__(self) -> Self:
        with aws_client(self._front) as ecr:
            push(ecr, REPOSITORY, image([layer(50_000, seed=1)]), "v1")
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def wait_for_operations(self, number: int) -> None:
        """Wait until each kind of client has done so many more operations, or one has failed."""
        before = dict(self.done)
        wait_until(lambda: self.failures or all(self.done[work] >= before[work] + number for work in before))

    def _again_and_again(self, work: Callable[[Any, int], str]) -> None:
        try:
            with aws_client(self._front) as ecr:
                for number in itertools.count():
                    self.done[work(ecr, number)] += 1
                    if self._ended.wait(_REST_SECONDS):
                        return
        except BaseException as error:  # noqa: BLE001 - the test fails with it
            self.failures.append(error)

    def _push(self, _ecr: Any, number: int) -> str:
        self._door.push(REPOSITORY, image([layer(3_000, seed=1_000 + number)]), f"docker-{number}")
        return "pushed"

    def _push_by_api(self, ecr: Any, number: int) -> str:
        push(ecr, REPOSITORY, image([layer(3_000, seed=100_000 + number)]), f"api-{number}")
        return "pushed by the API"

    def _pull(self, _ecr: Any, _number: int) -> str:
        answer = self._door.get(f"/v2/{REPOSITORY}/manifests/v1")
        assert answer.status == 200, answer
        blob = layer(50_000, seed=1)
        assert layer_of(self._door, REPOSITORY, blob.digest) == blob.content
        return "pulled"

    def _call(self, ecr: Any, _number: int) -> str:
        assert ecr.describe_images(repositoryName=REPOSITORY, imageIds=[{"imageTag": "v1"}])["imageDetails"]
        return "called"


def begin_stop(node: Node) -> None:
    """Send SIGTERM, and wait until the node reports that it is no longer ready."""
    process = node.server.process
    assert process is not None
    process.send_signal(signal.SIGTERM)
    wait_until(lambda: not node.server.is_ready())


@pytest.mark.timeout(900)
def test_no_request_fails_while_each_node_is_replaced(nodes: list[Node], settings: Settings, tmp_path: Path) -> None:
    folders = (tmp_path / str(number) for number in itertools.count())
    running = [Node(next(folders), settings, *DRAIN) for _ in range(2)]
    with aws_client(nodes[0].server) as ecr:
        ecr.create_repository(repositoryName=REPOSITORY)
    with balancer_of(*(node.server for node in running)) as balancer:
        balancer.wait_for(2)
        context = ServerContext(balancer.port, nodes[0].server)
        with Load(context, nodes[0].docker_password()) as load:
            for _ in range(2):
                old, new = running.pop(0), Node(next(folders), settings, *DRAIN)
                balancer.nodes.append(new.server)
                balancer.wait_for(3)
                begin_stop(old)
                balancer.wait_for(2)
                load.wait_for_operations(5)  # Those that had chosen the node before have ended.
                old.server.stop()
                balancer.nodes.remove(old.server)
                running.append(new)
    for node in running:
        begin_stop(node)
        node.server.stop()
    assert load.failures == []
    assert balancer.failures == []
    assert min(load.done.values()) > 2, load.done


def test_a_node_works_and_restarts_after_a_newer_version_has_extended_the_schema(
    nodes: list[Node], database: Cluster
) -> None:
    """The prepared statements of its connections continue to work."""
    node, client = nodes[0], nodes[0].docker()
    with aws_client(node.server) as ecr:
        ecr.create_repository(repositoryName="team/older")
    for number in range(10):
        client.push("team/older", image(seed=number), f"{number}")
    tables = ("repository", "repository_layer", "blob", "image", "image_layer", "tag", "upload", "upload_state", "job")
    with psycopg.connect(database.url("moorage")) as newer:
        for table in tables:
            newer.execute(f"ALTER TABLE {table} ADD COLUMN newer TEXT NOT NULL DEFAULT ''".encode())
        newer.execute("CREATE TABLE newer (id BIGINT PRIMARY KEY)")
        newer.execute("UPDATE schema_version SET version = version + 1")
    try:
        for seed in (100, 200):
            for number in range(10):
                client.push("team/older", image(seed=seed + number), f"{number}")
                assert client.get(f"/v2/team/older/manifests/{number}").status == 200
            node.server.stop()
            node.start()
    finally:
        with psycopg.connect(database.url("moorage")) as newer:
            newer.execute("UPDATE schema_version SET version = version - 1")
            newer.execute("DROP TABLE newer")
            for table in tables:
                newer.execute(f"ALTER TABLE {table} DROP COLUMN newer".encode())
