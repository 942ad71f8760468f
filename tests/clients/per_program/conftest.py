"""Client programs with an empty home folder, logged in before their first use: without TLS, and with TLS."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.clients.per_program.programs import Programs
from tests.operations.tls.conftest import TlsServer
from tests.support.aws import aws_client, docker_password
from tests.support.clients import temporary_home
from tests.support.server import Server


@pytest.fixture(scope="session", params=["http", "https"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server of these tests: without TLS, or with a certificate of its own authority."""
    data = tmp_path_factory.mktemp(f"served-by-{request.param}") / "data"
    tls = request.param == "https"
    one = TlsServer(data, data / "tls" / "ca.crt") if tls else Server(data)
    one.start(extra_args=["--tls"] if tls else [])
    yield one
    one.stop()


@pytest.fixture(scope="session")
def ecr(served: Server) -> Iterator[Any]:
    """boto3's ECR client, with the root key of that server."""
    with aws_client(served, "ecr") as client:
        yield client


@pytest.fixture(scope="session")
def programs(served: Server, ecr: Any) -> Iterator[Programs]:
    """The programs of a user who has a token of the root key."""
    with temporary_home() as home:
        yield Programs(home, served, docker_password(ecr))
