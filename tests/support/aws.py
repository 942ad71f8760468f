"""boto3 clients for a test server."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config

from tests.support.server import Server


@contextmanager
def aws_client(
    server: Server, service: str = "ecr", *, region: str | None = None, endpoint: str | None = None, **options: Any
) -> Iterator[Any]:
    """A client that does not retry, at another endpoint than the server's own if one is given.

    `options` are botocore's, such as `parameter_validation=False`.
    """
    environment = server.environment
    settings: dict[str, Any] = {"connect_timeout": 60, "read_timeout": 60, "retries": {"total_max_attempts": 1}}
    client = boto3.session.Session().client(
        service,
        region_name=region or environment["AWS_REGION"],
        endpoint_url=endpoint or environment[f"AWS_ENDPOINT_URL_{service.upper()}"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        verify=environment.get("AWS_CA_BUNDLE"),
        config=Config(**settings | options),
    )
    try:
        yield client
    finally:
        client.close()


def docker_password(ecr: Any) -> str:
    """The password of the user `AWS` from GetAuthorizationToken."""
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    user, password = base64.b64decode(token).decode().split(":")
    assert user == "AWS"
    return str(password)
