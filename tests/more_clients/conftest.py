"""Somebody with an empty home, who is logged in with each program before its first use."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.more_clients.programs import Programs
from tests.support.aws import docker_password
from tests.support.server import Server


@pytest.fixture(scope="session")
def programs(server: Server, ecr: Any) -> Iterator[Programs]:
    """The programs of somebody who has a token of the root key."""
    # Not in pytest's folder: buildah's paths are to be short.
    with tempfile.TemporaryDirectory(prefix="home-", ignore_cleanup_errors=True) as name:
        yield Programs(Path(name), server, docker_password(ecr))
