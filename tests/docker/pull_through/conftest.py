"""Fixtures of the tests of the pull-through cache."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests.docker.pull_through.caches import Cache, new_cache
from tests.docker.pull_through.upstream import Upstream, running
from tests.support.server import Server

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def shared_upstream() -> Iterator[Upstream]:
    """An upstream registry that the tests of this test process share."""
    with running(Upstream()) as one:
        yield one


@pytest.fixture
def upstream(shared_upstream: Upstream) -> Iterator[Upstream]:
    """The shared upstream registry, which behaves well at first."""
    shared_upstream.reset()
    yield shared_upstream
    shared_upstream.reset()


@pytest.fixture(scope="session")
def cache(shared_upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cache]:
    """A server with one worker process that caches the upstream registry. Tests share it."""
    server = Server(tmp_path_factory.mktemp("cache") / "data")
    yield new_cache(server, shared_upstream, "--workers", "1")
    server.stop()


@pytest.fixture
def name() -> str:
    """The name of a repository of the upstream registry, for this test alone."""
    return f"team/app-{next(_numbers)}"
