"""IAM of the shared server."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.config import Config

from tests.support.server import Server

_numbers = itertools.count(1)


def trust(principal: str) -> str:
    """A trust policy that names one principal."""
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


TRUST = trust("000000000000")


def iam_client(server: Server, key: str = "", secret: str = "", service: str = "iam", **options: Any) -> Any:
    """A boto3 client without retries; by default of the root user."""
    environment = server.environment
    return boto3.session.Session().client(
        service,
        **{"region_name": "us-east-1", "endpoint_url": server.url} | options,
        aws_access_key_id=key or environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=secret or environment["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
    )


def document(*actions: str, resource: str = "*", **more: Any) -> str:
    """A policy that allows actions."""
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": resource, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture(scope="session")
def iam(server: Server) -> Any:
    """boto3's client of IAM with the root key."""
    return iam_client(server)


@pytest.fixture
def new_name() -> Callable[[], str]:
    """Names that no other test uses."""
    return lambda: f"iam-tests-{next(_numbers)}"


@pytest.fixture
def name(new_name: Callable[[], str]) -> str:
    return new_name()


@pytest.fixture
def client_of(server: Server, iam: Any) -> Callable[..., Any]:
    """Clients of new users: `client_of(name, policy, Path=…)` creates the user with this inline policy."""

    def create(user: str, policy: str = "", **more: Any) -> Any:
        iam.create_user(UserName=user, **more)
        if policy:
            iam.put_user_policy(UserName=user, PolicyName="own", PolicyDocument=policy)
        key = iam.create_access_key(UserName=user)["AccessKey"]
        return iam_client(server, key["AccessKeyId"], key["SecretAccessKey"])

    return create
