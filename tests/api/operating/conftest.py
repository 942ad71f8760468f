"""Clients of the operating API, at a server of their own: it shows what all others do with a server."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.api.services.calls import client_of
from tests.support.aws import aws_client, docker_password
from tests.support.http_client import Docker
from tests.support.server import Server

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for the tests of this folder."""
    one = Server(tmp_path_factory.mktemp("operating") / "data")
    one.start()
    yield one
    one.stop()


@pytest.fixture(scope="session")
def ecr(server: Server) -> Iterator[Any]:
    with aws_client(server) as client:
        yield client


@pytest.fixture(scope="session")
def http(server: Server, ecr: Any) -> Docker:
    return Docker(server.host, server.port, docker_password(ecr))


@pytest.fixture
def repository(ecr: Any) -> str:
    name = f"operating/app-{next(_numbers)}"
    ecr.create_repository(repositoryName=name)
    return name


@pytest.fixture(scope="session")
def moorage(server: Server) -> Any:
    """boto3's client of the operating API with the root key."""
    return client_of(server, "moorage")


@pytest.fixture
def all_of() -> Callable[..., list[Any]]:
    """All items of a list, by pages."""

    def read(operation: Callable[..., dict[str, Any]], member: str, **request: Any) -> list[Any]:
        answer = operation(**request)
        found: list[Any] = answer[member]
        while "nextToken" in answer:
            answer = operation(**request, nextToken=answer["nextToken"])
            found += answer[member]
        return found

    return read
