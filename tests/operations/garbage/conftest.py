"""A server of the garbage tests' own: what they collect is everybody's."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.operations.garbage.yard import Yard
from tests.support.aws import aws_client, docker_password
from tests.support.http_client import Docker
from tests.support.server import Server


@pytest.fixture(scope="session")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    server = Server(tmp_path_factory.mktemp("yard") / "data")
    server.start(extra_args=["--workers", "1"])
    with aws_client(server, "ecr") as ecr:
        yield Yard(server, ecr, Docker(server.host, server.port, docker_password(ecr)))
    server.stop()


@pytest.fixture
def place(yard: Yard, request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Makes a repository of this test with a name that ends so."""

    def make(name: str) -> str:
        whole = f"garbage/{request.node.name.partition('[')[0].replace('_', '-')[5:90]}-{id(request)}/{name}"
        yard.ecr.create_repository(repositoryName=whole)
        return whole

    return make
