"""The values of secrets are in no record, log, event or file: only the answer to GetSecretValue has them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.api.services.calls import ACCOUNT, client_of
from tests.conftest import StartServer
from tests.support.server import Server

VALUE = "the-value-that-nobody-may-see"


@pytest.fixture
def watched(fresh_server: StartServer, tmp_path: Path) -> Server:
    """A server that records reads, too."""
    return fresh_server(extra_args=["--audit-reads", "--access-log"])


def records_of(server: Server) -> list[dict[str, Any]]:
    lines = (server.data / "audit.jsonl").read_text().splitlines()
    return [record for record in map(json.loads, lines) if record["eventType"] == "AwsApiCall"]


def test_the_value_of_a_secret_is_in_no_record_log_or_file(watched: Server) -> None:
    client = client_of(watched, "secretsmanager")
    arn = client.create_secret(Name="a", SecretString=VALUE, Description="of the hub")["ARN"]
    client.put_secret_value(SecretId="a", SecretBinary=VALUE.encode())
    client.update_secret(SecretId="a", SecretString=VALUE)
    assert client.get_secret_value(SecretId="a")["SecretString"] == VALUE
    for call, request in (
        (client.create_secret, {"Name": "a", "SecretString": VALUE * 3000}),
        (client.put_secret_value, {"SecretId": "none", "SecretString": VALUE}),
        (client.put_secret_value, {"SecretId": "a", "SecretString": VALUE, "RotationToken": VALUE + "?" * 40}),
    ):
        with pytest.raises(ClientError) as refused:
            call(**request)
        assert VALUE not in str(refused.value)
    watched.stop()

    records = records_of(watched)
    assert [record["eventName"] for record in records][:4] == [
        "CreateSecret",
        "PutSecretValue",
        "UpdateSecret",
        "GetSecretValue",
    ]
    assert {record["eventSource"] for record in records} == {"secretsmanager.amazonaws.com"}
    created = records[0]["requestParameters"]
    assert created.pop("clientRequestToken")
    assert created == {"name": "a", "description": "of the hub"}
    assert records[3]["requestParameters"] == {"secretId": "a"}
    assert records[3]["readOnly"] is True
    assert records[5]["errorCode"] == "ResourceNotFoundException"
    assert ACCOUNT in arn
    files = [path for path in watched.data.rglob("*") if path.is_file()]
    assert files
    for content in (watched.output().encode(), *(path.read_bytes() for path in files)):
        assert VALUE.encode() not in content
        assert VALUE[:20].encode() not in content
