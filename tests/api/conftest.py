"""Registries that replicate to each other, for the tests of their calls and of their events."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.ecr.replicating import NAME, Site, site
from tests.support.server import Server


@pytest.fixture
def source(server: Server) -> Iterator[Site]:
    """A registry with the repository `NAME`."""
    with site(server) as found:
        found.ecr.create_repository(repositoryName=NAME)
        yield found


@pytest.fixture
def target(server: Server) -> Iterator[Site]:
    """An empty registry."""
    with site(server) as found:
        yield found
