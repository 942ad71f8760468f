"""One registry for all tests of a test process. Each test uses its own repository."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.docker.oci.client import Client, World


@pytest.fixture(scope="session")
def shared_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("docker-door"))
    yield world
    world.close()


@pytest.fixture
def world(shared_world: World) -> Iterator[World]:
    """The registry, with the real time at the start of each test."""
    yield shared_world
    shared_world.offset = 0


@pytest.fixture
def root(world: World) -> Client:
    """The root user of the first account."""
    return world.root()


@pytest.fixture
def repository(world: World) -> str:
    """The name of an empty repository."""
    return world.new_repository()
