"""Clients whose every answer is checked against the service model, and users of all kinds."""

from __future__ import annotations

import itertools
import shlex
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from tests.api.ecr.wire import Wire, check_answers_of, client_of
from tests.support.aws import aws_client
from tests.support.clients import program_environment, run
from tests.support.server import Server


class Person(NamedTuple):
    """A user of the shared server with a key of its own."""

    name: str
    key: str
    secret: str
    ecr: Any


@pytest.fixture(scope="session")
def ecr(server: Server) -> Iterator[Any]:
    """boto3's ECR client with the root key; an answer that breaks the service model fails the test."""
    with aws_client(server, "ecr") as client:
        yield check_answers_of(client)


@pytest.fixture(scope="session")
def careless(server: Server) -> Any:
    """The same without botocore's own checks of requests, so that the server has to make them."""
    return client_of(server)


@pytest.fixture(scope="session")
def wire(server: Server) -> Iterator[Wire]:
    """Requests made by hand to the shared server."""
    client = Wire(server)
    yield client
    client.close()


@pytest.fixture(scope="session")
def moorage(server: Server) -> Callable[..., str]:
    """`moorage("user", "list")` runs the command on the shared server's data folder and gives what it printed."""

    def command(*words: str) -> str:
        program = [sys.executable, "-m", "moorage", *words, "--data", str(server.data)]
        return run(program, program_environment(server.data.parent, server.settings))

    return command


@pytest.fixture(scope="session")
def clients(server: Server) -> Callable[..., Any]:
    """`clients(region=..., key=..., secret=..., token=...)` gives one more checked client, root's without a key."""

    def client(region: str = "us-east-1", key: str = "", secret: str = "", token: str | None = None) -> Any:
        if not key:
            return client_of(server, region=region)
        return client_of(
            server, region=region, aws_access_key_id=key, aws_secret_access_key=secret, aws_session_token=token
        )

    return client


@pytest.fixture(scope="session")
def new_person(moorage: Callable[..., str], clients: Callable[..., Any]) -> Callable[..., Person]:
    """`new_person("AmazonEC2ContainerRegistryReadOnly")` makes a user with these policies and a key."""

    def make(*policies: str) -> Person:
        name = f"person-{next(_numbers)}"
        moorage("user", "create", name, *(word for policy in policies for word in ("--policy", policy)))
        exports = moorage("key", "create", "--user", name).splitlines()
        key, secret = (shlex.split(line)[1].partition("=")[2] for line in exports)
        return Person(name, key, secret, clients(key=key, secret=secret))

    return make


@pytest.fixture(scope="session")
def reader(new_person: Callable[..., Person]) -> Person:
    """A user who may read."""
    return new_person("AmazonEC2ContainerRegistryReadOnly")


@pytest.fixture(scope="session")
def colleague(new_person: Callable[..., Person]) -> Person:
    """A user who may do all that root may do in ECR."""
    return new_person("AmazonEC2ContainerRegistryFullAccess")


_numbers = itertools.count(1)
