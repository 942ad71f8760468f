"""DescribeRegistry, GetAuthorizationToken, and the list of operations."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest

from moorage.aws.service_model import OPERATIONS
from moorage.ecr.operations import OPERATIONS as ECR_OPERATIONS
from tests.api.ecr.wire import ACCOUNT, Wire, refusal
from tests.support.server import Server


def test_a_registry_has_its_account_s_id_and_no_replication(ecr: Any) -> None:
    answer = ecr.describe_registry()

    answer.pop("ResponseMetadata")
    assert answer == {"registryId": ACCOUNT, "replicationConfiguration": {"rules": []}}


def test_a_token_is_a_password_of_the_user_aws_for_twelve_hours(wire: Wire, server: Server) -> None:
    """The AWS command line splits it at ":" and prints the password as one line."""
    answer = wire.call("GetAuthorizationToken").json()["authorizationData"]

    user, *password = base64.b64decode(answer[0]["authorizationToken"], validate=True).decode().split(":")
    assert len(answer) == 1
    assert (user, len(password)) == ("AWS", 1)
    assert password[0].split() == password
    assert json.loads(base64.b64decode(password[0])).keys() == {"payload", "version", "type", "expiration"}
    assert abs(answer[0]["expiresAt"] - time.time() - 12 * 3600) < 60
    assert answer[0]["proxyEndpoint"] == server.url, "the address that the client used"


def test_each_named_registry_gets_a_token(ecr: Any) -> None:
    accounts = [ACCOUNT, "123456789012", ACCOUNT]

    data = ecr.get_authorization_token(registryIds=accounts)["authorizationData"]

    assert len(data) == 3
    assert len({entry["authorizationToken"] for entry in data}) >= 2


@pytest.mark.parametrize(
    ("accounts", "constraint"),
    [
        ([], "Member must have length greater than or equal to 1"),
        ([ACCOUNT] * 11, "Member must have length less than or equal to 10"),
        (["12345"], "Member must satisfy constraint: [Member must satisfy regular expression pattern: [0-9]{12}]"),
    ],
)
def test_a_request_has_1_to_10_registries(unchecked: Any, accounts: list[str], constraint: str) -> None:
    assert refusal(unchecked.get_authorization_token, registryIds=accounts) == (
        400,
        "InvalidParameterException",
        f"Invalid parameter at 'registryIds' failed to satisfy constraint: '{constraint}'",
    )


def test_every_operation_of_the_model_is_built() -> None:
    assert len(OPERATIONS) == 62
    assert ECR_OPERATIONS.keys() == OPERATIONS.keys()
