"""Commands run in this process on the shared server's data folder, and clients with any credentials."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import pytest

from tests.api.ecr.wire import ACCOUNT, client_of
from tests.support.issuer import Issuer
from tests.support.server import Server

Credentials = Mapping[str, str]
"""As boto3 takes them: `aws_access_key_id`, …"""


class Moorage(Protocol):
    """Runs a command that must succeed, and returns its output."""

    def __call__(self, *words: str, stdin: str = "") -> str: ...


@pytest.fixture(scope="session")
def moorage(server: Server) -> Moorage:
    """`moorage("role", "list")` runs the command in this process."""
    return server.moorage


@pytest.fixture(scope="session")
def refused(server: Server) -> Callable[..., str]:
    """`refused("role", "show", "none")` runs a command that must fail, and returns its error message."""
    return server.moorage_error


@pytest.fixture(scope="session")
def clients(server: Server) -> Callable[..., Any]:
    """`clients("sts", credentials)` returns a boto3 client. Without credentials it has root's."""

    def client(service: str, credentials: Credentials | None = None) -> Any:
        return client_of(server, service, **(credentials or {}))

    return client


@pytest.fixture(scope="session")
def new_user(moorage: Moorage) -> Callable[..., tuple[str, Credentials]]:
    """`new_user(policy, account=...)` creates a user with this inline policy. Returns name and credentials."""

    def make(policy: Any = None, account: str = ACCOUNT) -> tuple[str, Credentials]:
        name = f"somebody-{next(_numbers)}"
        moorage("user", "create", name, "--account", account)
        if policy is not None:
            moorage("user", "put-policy", name, "own", "-", "--account", account, stdin=json.dumps(policy))
        return name, exported(moorage("key", "create", "--user", name, "--account", account))

    return make


@pytest.fixture(scope="session")
def new_role(moorage: Moorage) -> Callable[..., str]:
    """`new_role(trust, policy, …)` creates a role with this trust policy and inline policy. Returns its name."""

    def make(trust: Any, policy: Any = None, *options: str) -> str:
        name = f"role-{next(_numbers)}"
        moorage("role", "create", name, "--trust", "-", *options, stdin=json.dumps(trust))
        if policy is not None:
            moorage("role", "put-policy", name, "own", "-", stdin=json.dumps(policy))
        return name

    return make


@pytest.fixture(scope="session")
def other_account(moorage: Moorage) -> str:
    """The id of a second account."""
    if "222222222222" not in moorage("account", "list"):
        moorage("account", "create", "222222222222")
    return "222222222222"


@pytest.fixture(scope="session")
def issuer(moorage: Moorage) -> Issuer:
    """An issuer whose tokens the first account accepts."""
    one = Issuer("https://ci.example.org/tenant")
    moorage("oidc", "put", one.url, "--audience", "sts.amazonaws.com", "--keys", "-", stdin=one.key_set())
    return one


def exported(text: str) -> Credentials:
    """The credentials in the output of `moorage key create`."""
    key, secret = re.findall(r"=(\S+)", text)
    return {"aws_access_key_id": key, "aws_secret_access_key": secret}


def of_session(answer: Any) -> Credentials:
    """The credentials in a response of STS."""
    given = answer["Credentials"]
    return {
        "aws_access_key_id": given["AccessKeyId"],
        "aws_secret_access_key": given["SecretAccessKey"],
        "aws_session_token": given["SessionToken"],
    }


def allow(*actions: str, resource: str = "*", **more: Any) -> dict[str, Any]:
    """An identity policy with one statement."""
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": resource, **more}
    return {"Version": "2012-10-17", "Statement": [statement]}


def trust(principal: Any, action: str = "sts:AssumeRole", **more: Any) -> dict[str, Any]:
    """A trust policy with one statement."""
    statement = {"Effect": "Allow", "Principal": principal, "Action": action, **more}
    return {"Version": "2012-10-17", "Statement": [statement]}


def user_arn(name: str, account: str = ACCOUNT) -> str:
    return f"arn:aws:iam::{account}:user/{name}"


def role_arn(name: str, account: str = ACCOUNT) -> str:
    return f"arn:aws:iam::{account}:role/{name}"


_numbers = itertools.count(1)
