"""Requests without valid credentials leave nothing in memory, however many there are and however long."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.http.raw import Connection, head
from tests.support.server import Server

REQUESTS = 1_700
LONG = 60_000
GROWTH = 24 << 20


def with_a_token(number: int) -> bytes:
    """A docker client with a long password, which could be a token."""
    return authorized_by(f"AWS:{number}")


def with_a_password(number: int) -> bytes:
    """A docker client with a long password of an access key."""
    return authorized_by(f"AKIA{number}:")


def authorized_by(text: str) -> bytes:
    credentials = base64.b64encode(text.ljust(LONG * 3 // 4, "x").encode()).decode()
    return head("GET", "/v2/", {"Host": "r", "Authorization": f"Basic {credentials}"})


def with_a_long_host(number: int) -> bytes:
    """A host could name a registry."""
    return head("GET", "/v2/", {"Host": f"{number}".ljust(LONG, "x"), "Authorization": "Basic QVdTOng="})


def with_a_long_name(number: int) -> bytes:
    """`ns` could name a registry, and the path has the name of a repository."""
    path = f"/v2/{number}".ljust(LONG // 2, "x") + "/manifests/v1?ns=" + f"{number}".ljust(LONG // 2, "x")
    return head("GET", path, {"Host": "r", "Authorization": "Basic QVdTOng="})


def signed(number: int) -> bytes:
    """An AWS client with a long key id, Region and token."""
    credential = f"AKIA{number}".ljust(LONG // 2, "X") + "/20260101/us-east-1/ecr/aws4_request"
    headers: dict[str, str | int] = {
        "Host": "r",
        "X-Amz-Date": "20260101T000000Z",
        "X-Amz-Security-Token": f"{number}".ljust(LONG // 3, "x"),
        "X-Amz-Target": "AmazonEC2ContainerRegistry_V20150921.DescribeRepositories",
        "Content-Type": "application/x-amz-json-1.1",
        "Authorization": f"AWS4-HMAC-SHA256 Credential={credential}, "
        "SignedHeaders=host;x-amz-date;x-amz-security-token;x-amz-target, Signature=0",
        "Content-Length": 2,
    }
    return head("POST", "/", headers) + b"{}"


def memory(server: Server) -> int:
    """Bytes of memory of the only worker process."""
    (worker,) = server.workers()
    status = Path(f"/proc/{worker}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) << 10


def send(server: Server, request: Callable[[int], bytes], first: int, number: int) -> None:
    """Send requests, each on a connection of its own, because some refusals close it."""
    for one in range(first, first + number):
        with Connection(server) as connection:
            connection.send(request(one))
            assert connection.first_line().split()[1] in {b"400", b"401", b"403"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    one = Server(tmp_path_factory.mktemp("memory") / "data")
    one.start(extra_args=["--workers", "1"])
    yield one
    one.stop()


@pytest.mark.parametrize("request_of", [with_a_token, with_a_password, with_a_long_host, with_a_long_name, signed])
def test_long_requests_without_valid_credentials_take_no_memory(
    server: Server, request_of: Callable[[int], bytes]
) -> None:
    send(server, request_of, 0, 50)
    before = memory(server)

    send(server, request_of, 50, REQUESTS)

    assert memory(server) - before < GROWTH
