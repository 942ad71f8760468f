"""Many failed logins of an address: its further attempts are refused unread, and known callers go on."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.conftest import StartServer
from tests.support.aws import aws_client, docker_password
from tests.support.http_client import Docker

LIMIT = 20


def test_after_many_failed_logins_only_known_credentials_are_accepted(fresh_server: StartServer) -> None:
    server = fresh_server(extra_args=["--workers", "1", "--max-failed-logins", str(LIMIT)])
    with aws_client(server) as ecr:
        known = Docker(server.host, server.port, docker_password(ecr))
        unused = Docker(server.host, server.port, docker_password(ecr))
        assert known.get("/v2/").status == 200

        for number in range(LIMIT):
            assert Docker(server.host, server.port, f"wrong-{number}").get("/v2/").status == 401

        refused = Docker(server.host, server.port, "wrong").get("/v2/")
        assert (refused.status, refused.error_codes()) == (429, ["TOOMANYREQUESTS"])
        assert unused.get("/v2/").status == 429
        assert known.get("/v2/").status == 200
        assert Docker(server.host, server.port, None).get("/v2/").status == 401
        ecr.describe_registry()

    server.environment["AWS_ACCESS_KEY_ID"] = "AKIAWRONG00000000000"
    with aws_client(server) as stranger, pytest.raises(ClientError, match="ThrottlingException"):
        stranger.describe_registry()
