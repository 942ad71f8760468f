"""Clients that check each response against the service model, and users with different policies."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from tests.api.ecr.signing import REGION, SigningRegistry
from tests.api.ecr.wire import Wire, check_answers_of, client_of
from tests.support.aws import aws_client
from tests.support.server import Server


class KeyedUser(NamedTuple):
    """A user of the shared server with an access key and a client."""

    name: str
    key: str
    secret: str
    ecr: Any


@pytest.fixture(scope="session")
def ecr(server: Server) -> Iterator[Any]:
    """boto3's ECR client with the root key. A response that breaks the service model fails the test."""
    with aws_client(server, "ecr") as client:
        yield check_answers_of(client)


@pytest.fixture(scope="session")
def unchecked(server: Server) -> Any:
    """The same without botocore's checks of requests, so that the server has to make them."""
    return client_of(server)


@pytest.fixture(scope="session")
def wire(server: Server) -> Iterator[Wire]:
    """Hand-made requests to the shared server."""
    client = Wire(server)
    yield client
    client.close()


@pytest.fixture(scope="session")
def moorage(server: Server) -> Callable[..., str]:
    """`moorage("user", "list")` runs the command on the shared server's data folder and returns its output."""
    return server.moorage


@pytest.fixture(scope="session")
def clients(server: Server) -> Callable[..., Any]:
    """`clients(region=..., key=..., secret=..., token=...)` returns a checked client. Without a key it has root's."""

    def client(region: str = "us-east-1", key: str = "", secret: str = "", token: str | None = None) -> Any:
        if not key:
            return client_of(server, region=region)
        return client_of(
            server, region=region, aws_access_key_id=key, aws_secret_access_key=secret, aws_session_token=token
        )

    return client


@pytest.fixture(scope="session")
def new_user(moorage: Callable[..., str], clients: Callable[..., Any]) -> Callable[..., KeyedUser]:
    """`new_user("AmazonEC2ContainerRegistryReadOnly")` creates a user with these policies and a key."""

    def make(*policies: str) -> KeyedUser:
        name = f"person-{next(_numbers)}"
        moorage("user", "create", name, *(word for policy in policies for word in ("--policy", policy)))
        exports = moorage("key", "create", "--user", name).splitlines()
        key, secret = (shlex.split(line)[1].partition("=")[2] for line in exports)
        return KeyedUser(name, key, secret, clients(key=key, secret=secret))

    return make


@pytest.fixture(scope="session")
def reader(new_user: Callable[..., KeyedUser]) -> KeyedUser:
    """A user who can only read."""
    return new_user("AmazonEC2ContainerRegistryReadOnly")


@pytest.fixture(scope="session")
def colleague(new_user: Callable[..., KeyedUser]) -> KeyedUser:
    """A user with full access to ECR."""
    return new_user("AmazonEC2ContainerRegistryFullAccess")


@pytest.fixture
def registry(server: Server) -> Iterator[SigningRegistry]:
    """The registry of a Region that only tests of signing use, without rules and requirements after the test."""
    one = SigningRegistry(server)
    yield one
    one.configure()
    one.ecr.delete_signing_configuration()
    for line in one.moorage("signing", "requirements", "--region", REGION).splitlines():
        one.moorage("signing", "unrequire", line.partition("\t")[0], "--region", REGION)


_numbers = itertools.count(1)
