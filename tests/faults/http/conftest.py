"""One server for all tests of a test process."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests.faults.durability.endpoints import Endpoints, endpoints_of
from tests.support.server import Server

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that the tests of this folder share; its log shows what they did to it."""
    one = Server(tmp_path_factory.mktemp("web") / "data")
    one.start()
    yield one
    one.stop()


@pytest.fixture(scope="session")
def endpoints(web: Server) -> Iterator[Endpoints]:
    with endpoints_of(web) as both:
        yield both


@pytest.fixture
def repository(endpoints: Endpoints) -> str:
    """The name of an empty repository, for this test alone."""
    name = f"http/app-{next(_numbers)}"
    endpoints.ecr.create_repository(repositoryName=name)
    return name
