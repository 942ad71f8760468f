"""The client programs, logged in to the shared server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.clients.everyday.programs import Credentials, Programs
from tests.clients.everyday.transfers import Desk
from tests.support.aws import docker_password
from tests.support.clients import temporary_home
from tests.support.dockerd import Dockerd
from tests.support.server import Server


@pytest.fixture(scope="session")
def daemon(request: pytest.FixtureRequest) -> Callable[[], Dockerd]:
    """Returns the docker daemon. It starts at the first call, because tests of crane do not need it."""
    return partial(request.getfixturevalue, "dockerd")


@pytest.fixture(scope="session")
def programs(server: Server, ecr: Any, daemon: Callable[[], Dockerd]) -> Iterator[Programs]:
    """The programs of a user who is logged in with a token of the root key."""
    with temporary_home() as home:
        yield Programs(home, server, daemon, Credentials("AWS", docker_password(ecr)))


@pytest.fixture
def strangers(server: Server, daemon: Callable[[], Dockerd]) -> Iterator[Callable[..., Programs]]:
    """`strangers(credentials)` returns programs with a new home folder. Without credentials they are not logged in."""
    with ExitStack() as homes:
        yield lambda credentials=None: Programs(homes.enter_context(temporary_home()), server, daemon, credentials)


@pytest.fixture
def desk(programs: Programs, ecr: Any, tmp_path: Path) -> Desk:
    """The programs, the ECR client and a folder, for pushes and pulls."""
    return Desk(programs, ecr, tmp_path)
