"""Two nodes: one PostgreSQL, one bucket and one master key, and a data folder for each node."""

from __future__ import annotations

import base64
import itertools
import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.aws import aws_client, docker_password
from tests.support.commands import run_apart
from tests.support.http_client import Docker
from tests.support.object_store import ObjectStore
from tests.support.ports import free_port
from tests.support.postgres import Cluster, own_cluster
from tests.support.server import Server

Settings = dict[str, str]
_prefixes = itertools.count(1)


class Node:
    """A server and its clients. `options` are options of `moorage serve`."""

    def __init__(self, folder: Path, settings: Settings, *options: str) -> None:
        folder.mkdir()
        self.server = Server(folder / "data")
        self.server.settings = settings
        self.metrics = Docker(self.server.host, free_port(), None)
        address = f"{self.metrics.host}:{self.metrics.port}"
        self._options = ("--workers", "1", "--metrics", address, *options)
        self.start()

    def start(self) -> None:
        self.server.start(extra_args=self._options)

    def docker(self) -> Docker:
        return Docker(self.server.host, self.server.port, self.docker_password())

    def docker_password(self) -> str:
        with aws_client(self.server) as ecr:
            return docker_password(ecr)


@pytest.fixture(scope="session")
def database() -> Iterator[Cluster]:
    """A PostgreSQL cluster that tests can stop and start again."""
    with own_cluster() as one:
        one.execute("CREATE DATABASE moorage")
        yield one


@pytest.fixture(scope="session")
def prefix() -> str:
    """The prefix of the layers of these nodes in the bucket that all tests share."""
    return f"nodes/{os.getpid()}-{next(_prefixes)}"


@pytest.fixture(scope="session")
def settings(database: Cluster, object_store: ObjectStore, prefix: str) -> Settings:
    """The variables of all nodes and commands."""
    return {
        "MOORAGE_DATABASE": database.url("moorage"),
        "MOORAGE_MASTER_KEY": base64.b64encode(os.urandom(32)).decode(),
        "MOORAGE_BLOBS": object_store.setting(prefix),
        **object_store.environment,
    }


@pytest.fixture(scope="session")
def nodes(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Node]]:
    """Two nodes. The first redirects pulls of layers to the object store, the second sends the bytes itself."""
    folder = tmp_path_factory.mktemp("nodes")
    assert command(settings, folder, "migrate").startswith("Updated the database schema from version 0 to ")
    started = [Node(folder / "one", settings), Node(folder / "two", settings, "--blob-redirect", "off")]
    yield started
    for node in started:
        node.server.stop()


@pytest.fixture
def ecr(nodes: list[Node]) -> Iterator[Any]:
    """boto3's ECR client of the first node."""
    with aws_client(nodes[0].server) as client:
        yield client


def command(settings: Settings, home: Path, *words: str, code: int = 0) -> str:
    """The output of a `moorage` command, or its error message if it must not succeed."""
    ended = run_apart(home, *words, variables=settings)
    assert ended.code == code, ended.err
    return ended.err if code else ended.out


def layer_of(client: Docker, repository: str, digest: str) -> bytes:
    """A layer's bytes, from the node or from where it redirects its clients."""
    answer = client.get(f"/v2/{repository}/blobs/{digest}")
    if answer.status == 307:
        with urllib.request.urlopen(answer.headers["Location"], timeout=30) as sent:
            return bytes(sent.read())
    assert answer.status == 200, answer
    return answer.body
