"""Clients that send a byte now and then, or stop: they are cut off in time, and other clients are not affected."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.api.ecr.wire import TARGET_PREFIX, Wire
from tests.faults.durability.endpoints import Endpoints
from tests.faults.durability.promises import check_p10_bounded, upload_size
from tests.faults.http.raw import Connection, head
from tests.support.server import Server

PATCHED = 100_000


def patch(endpoints: Endpoints, location: str) -> bytes:
    """The head of a PATCH."""
    authorization = endpoints.docker.authorization or ""
    known: dict[str, str | int] = {"Host": "r", "Authorization": authorization, "Content-Length": PATCHED}
    return head("PATCH", location, known)


def begun(endpoints: Endpoints, repository: str) -> str:
    return str(endpoints.docker.post(f"/v2/{repository}/blobs/uploads/").headers["Location"])


def test_many_stalled_bodies_do_not_block_other_clients(endpoints: Endpoints, repository: str) -> None:
    """Each client sent its head and one byte. The server answers others as before, with as many workers as before."""
    workers = endpoints.server.workers()
    with ExitStack() as connections:
        for _ in range(200):
            connection = connections.enter_context(Connection(endpoints.server))
            connection.send(patch(endpoints, begun(endpoints, repository)) + b"x")
        for _ in range(20):
            started = time.monotonic()
            assert endpoints.docker.get("/v2/").status == 200
            assert time.monotonic() - started < 30  # A stalled body is cut off after 75 seconds.
        check_p10_bounded(endpoints.server)
    assert endpoints.server.workers() == workers


def test_endless_heads_do_not_block_other_clients(endpoints: Endpoints, repository: str) -> None:
    with ExitStack() as connections:
        for _ in range(200):
            connections.enter_context(Connection(endpoints.server)).send(b"GET /v2/ HTTP/1.1\r\nHost: r\r\nX-A: ")
        assert endpoints.docker.get("/v2/").status == 200


@pytest.mark.long
def test_a_stalled_body_is_cut_off_after_75_seconds(endpoints: Endpoints, repository: str) -> None:
    """At both endpoints. The upload can continue behind what arrived."""
    location = begun(endpoints, repository)
    signed = Wire(endpoints.server).signer.headers(f"{TARGET_PREFIX}PutImage", b"x")
    with Connection(endpoints.server) as docker, Connection(endpoints.server) as api:
        started = time.monotonic()
        docker.send(patch(endpoints, location) + b"x" * 1_000)
        api.send(head("POST", "/", signed | {"content-length": 10_000}) + b"{")

        assert docker.first_line(120).split()[1] == b"408"
        assert 74 <= time.monotonic() - started <= 90
        assert api.first_line(120).split()[1] in {b"400", b"408"}
        assert 74 <= time.monotonic() - started <= 92
        docker.seconds_until_closed(10)
        api.seconds_until_closed(10)

    assert upload_size(endpoints, repository, location.rpartition("/")[2]) == 1_000
    assert endpoints.docker.patch(location, b"x" * PATCHED).status == 202


@contextmanager
def dripping(connection: Connection) -> Iterator[None]:
    """Send one byte a second until the block or the connection ends."""
    stop = threading.Event()

    def drip() -> None:
        while not stop.wait(1):
            try:
                connection.send(b"x")
            except OSError:
                return

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.mark.long
def test_a_byte_a_second_is_cut_off_after_a_minute(endpoints: Endpoints, repository: str) -> None:
    location = begun(endpoints, repository)
    with Connection(endpoints.server) as connection:
        connection.send(patch(endpoints, location))
        started = time.monotonic()
        with dripping(connection):
            assert connection.first_line(90).split()[1] == b"408"
        assert 59 <= time.monotonic() - started <= 75

    assert 50 <= upload_size(endpoints, repository, location.rpartition("/")[2]) <= 75


@pytest.mark.long
def test_a_slow_head_is_cut_off(web: Server) -> None:
    with Connection(web) as connection:
        connection.send(b"GET /healthz HTTP/1.1\r\nHost: r\r\nX-A: ")
        started = time.monotonic()
        with dripping(connection):
            connection.seconds_until_closed(60)
        assert 25 <= time.monotonic() - started <= 45
