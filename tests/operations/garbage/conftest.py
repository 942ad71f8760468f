"""The server of the garbage tests. They have their own, because they collect the garbage of all repositories."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.operations.garbage.registry import GarbageRegistry
from tests.support.aws import aws_client, docker_password
from tests.support.http_client import Docker
from tests.support.server import Server


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GarbageRegistry]:
    server = Server(tmp_path_factory.mktemp("garbage") / "data")
    server.start(extra_args=["--workers", "1"])
    with aws_client(server, "ecr") as ecr:
        yield GarbageRegistry(server, ecr, Docker(server.host, server.port, docker_password(ecr)))
    server.stop()


@pytest.fixture
def new_repository(registry: GarbageRegistry, request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Creates a repository for this test, with a name that ends with the given one."""

    def create(name: str) -> str:
        full_name = f"garbage/{request.node.name.partition('[')[0].replace('_', '-')[5:90]}-{id(request)}/{name}"
        registry.ecr.create_repository(repositoryName=full_name)
        return full_name

    return create
