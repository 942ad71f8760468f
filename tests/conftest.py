"""Fixtures for all tests: a real server and its clients. Also the guard of the test run."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.support.aws import aws_client, docker_password
from tests.support.dockerd import Dockerd, running_dockerd
from tests.support.failures import ImmediateFailures
from tests.support.http_client import Docker
from tests.support.object_store import ObjectStore, shared_object_store
from tests.support.run_guard import Run
from tests.support.server import Server


class StartServer(Protocol):
    """Starts a server that is stopped after the test."""

    def __call__(self, *, extra_env: Mapping[str, str] | None = None, extra_args: Sequence[str] = ()) -> Server: ...


_run = pytest.StashKey[Run]()


@pytest.hookimpl(trylast=True)  # after the terminal reporter is there
def pytest_configure(config: pytest.Config) -> None:
    """Start the run's guard and print failures at once, in the main process of pytest-xdist only."""
    if not hasattr(config, "workerinput"):
        config.stash[_run] = Run()
        terminal = config.pluginmanager.get_plugin("terminalreporter")
        if terminal is not None:
            config.pluginmanager.register(ImmediateFailures(terminal))


def pytest_unconfigure(config: pytest.Config) -> None:
    if _run in config.stash:
        config.stash[_run].end()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run tests with a longer time-out first, so that none of them runs alone at the end; client programs last."""
    items.sort(key=lambda item: (item.get_closest_marker("timeout") is None, is_client_test(item)))


def is_client_test(item: pytest.Item) -> bool:
    return item.get_closest_marker("client") is not None


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that all tests of a test process share. Use your own repository names, and do not stop it."""
    shared = Server(tmp_path_factory.mktemp("server") / "data")
    shared.start()
    yield shared
    shared.stop()


@pytest.fixture
def fresh_server(tmp_path: Path) -> Iterator[StartServer]:
    """`fresh_server(extra_env=..., extra_args=...)` starts a server with an empty data folder for this test alone."""
    started: list[Server] = []

    def start(*, extra_env: Mapping[str, str] | None = None, extra_args: Sequence[str] = ()) -> Server:
        one = Server(tmp_path / f"server-{len(started)}" / "data")
        one.data.parent.mkdir()
        started.append(one)
        one.start(extra_env=extra_env, extra_args=extra_args)
        return one

    yield start
    for one in started:
        if one.process is not None:
            one.stop()


@pytest.fixture(scope="session")
def ecr(server: Server) -> Iterator[Any]:
    """boto3's ECR client, with the root key of the shared server."""
    with aws_client(server, "ecr") as client:
        yield client


@pytest.fixture(scope="session")
def sts(server: Server) -> Iterator[Any]:
    """boto3's STS client, with the root key of the shared server."""
    with aws_client(server, "sts") as client:
        yield client


@pytest.fixture(scope="session")
def http(server: Server, ecr: Any) -> Docker:
    """Raw requests to the shared server, with a token from GetAuthorizationToken."""
    return Docker(server.host, server.port, docker_password(ecr))


@pytest.fixture(scope="session")
def dockerd() -> Iterator[Dockerd]:
    """A docker daemon for the tests of this test process."""
    with running_dockerd() as daemon:
        yield daemon


@pytest.fixture(scope="session")
def object_store() -> ObjectStore:
    """A real S3 server that all test processes share. Use your own prefix."""
    return shared_object_store()


@pytest.fixture
def new_repository(ecr: Any, request: pytest.FixtureRequest) -> Callable[[], str]:
    """Creates an empty repository on the shared server and returns its name."""

    def make() -> str:
        name = f"tests/{_words(request.node.name)[:100]}-{next(_numbers)}"
        ecr.create_repository(repositoryName=name)
        return name

    return make


@pytest.fixture
def repository(new_repository: Callable[[], str]) -> str:
    """The name of an empty repository on the shared server, for this test alone."""
    return new_repository()


_numbers = itertools.count(1)


def _words(name: str) -> str:
    return "-".join(re.findall("[a-z0-9]+", name.lower()))
