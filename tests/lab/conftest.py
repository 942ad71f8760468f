"""A lab that the tests of a process share. Each test begins with a reset, as the tests of users do."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.operations.cli.conftest import Command
from tests.support.aws import aws_client, docker_password
from tests.support.commands import Ended, run_apart
from tests.support.http_client import Answer, Docker
from tests.support.server import Server


class Lab:
    """A server in lab mode, and its paths."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._http = Docker(server.host, server.port, None)

    def request(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        content = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        return self._http.request(method, path, content, headers)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The answer to a request that must succeed."""
        answer = self.request(method, f"/_moorage/{path}", body)
        assert answer.status == 200, answer.body
        return answer.json()

    def refusal(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        answer = self.request(method, f"/_moorage/{path}", body)
        return answer.status, answer.json()["message"]


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Runs a command in a process of its own."""

    def run(*words: str, module: str = "moorage", extra: Mapping[str, str] | None = None) -> Ended:
        return run_apart(tmp_path, *words, variables=extra, module=module)

    return run


@pytest.fixture(scope="session")
def lab_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    shared = Server(tmp_path_factory.mktemp("lab") / "data")
    shared.start(extra_args=("--lab", "--any-key"))
    yield shared
    shared.stop()


@pytest.fixture
def lab(lab_server: Server) -> Lab:
    one = Lab(lab_server)
    one.call("POST", "reset")
    return one


@pytest.fixture
def ecr(lab: Lab) -> Iterator[Any]:
    """boto3's ECR client of the lab."""
    with aws_client(lab.server) as client:
        yield client


@pytest.fixture
def http(lab: Lab, ecr: Any) -> Docker:
    """Raw requests of a Docker client to the lab."""
    return Docker(lab.server.host, lab.server.port, docker_password(ecr))
