"""Two servers for all tests of a process: the same program on Granian, and on uvicorn."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests.faults.durability.doors import Doors, doors_of
from tests.support.server import Server

_numbers = itertools.count(1)


@pytest.fixture(scope="session", params=["granian", "uvicorn"])
def web(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that tests share; each HTTP server that can be chosen, in turn."""
    one = Server(tmp_path_factory.mktemp(f"web-{request.param}") / "data")
    one.start(extra_args=["--server", request.param])
    yield one
    one.stop()


@pytest.fixture(scope="session")
def doors(web: Server) -> Iterator[Doors]:
    with doors_of(web) as both:
        yield both


@pytest.fixture
def repository(doors: Doors) -> str:
    """The name of an empty repository that no other test has."""
    name = f"http/app-{next(_numbers)}"
    doors.ecr.create_repository(repositoryName=name)
    return name
