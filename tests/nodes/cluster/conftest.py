"""Two nodes as a fleet has them: one PostgreSQL, one bucket, one master key; and a data folder for each."""

from __future__ import annotations

import base64
import itertools
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.aws import aws_client, docker_password
from tests.support.clients import program_environment
from tests.support.http_client import Docker
from tests.support.object_store import ObjectStore
from tests.support.ports import free_port
from tests.support.postgres import Cluster, cluster_of_its_own
from tests.support.server import Server
from tests.support.waiting import PATIENCE_SECONDS

Settings = dict[str, str]
_prefixes = itertools.count(1)


class Node:
    """A server, and clients of it. `options` are those of `moorage serve`."""

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
    """A PostgreSQL that tests may stop and start again."""
    with cluster_of_its_own() as one:
        one.do("CREATE DATABASE moorage")
        yield one


@pytest.fixture(scope="session")
def prefix() -> str:
    """Where the layers of these nodes are in the bucket that all tests share."""
    return f"nodes/{os.getpid()}-{next(_prefixes)}"


@pytest.fixture(scope="session")
def settings(database: Cluster, object_store: ObjectStore, prefix: str) -> Settings:
    """What every node and every command is told."""
    return {
        "MOORAGE_DATABASE": database.url("moorage"),
        "MOORAGE_MASTER_KEY": base64.b64encode(os.urandom(32)).decode(),
        "MOORAGE_BLOBS": object_store.setting(prefix),
        **object_store.environment,
    }


@pytest.fixture(scope="session")
def nodes(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Node]]:
    """The first one sends pulls of layers to the store, the second one sends the bytes itself."""
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
    """What a command of ours prints, or what it complains of when its exit code shall not be 0."""
    done = subprocess.run(
        [sys.executable, "-m", "moorage", *words],
        env=program_environment(home, settings),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done.stderr if code else done.stdout


def layer_of(door: Docker, repository: str, digest: str) -> bytes:
    """A layer's bytes, from the node or from where it sends its clients."""
    answer = door.get(f"/v2/{repository}/blobs/{digest}")
    if answer.status == 307:
        with urllib.request.urlopen(answer.headers["Location"], timeout=30) as sent:
            return bytes(sent.read())
    assert answer.status == 200, answer
    return answer.body
