"""SIGTERM: requests in progress are finished, no new one is accepted, and the server ends with exit code 0."""

from __future__ import annotations

import random
import signal
import socket
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.conftest import StartServer
from tests.faults.durability.endpoints import Endpoints, Journal, endpoints_of
from tests.faults.durability.promises import check_all, upload_size
from tests.faults.http.raw import Connection, head
from tests.support.images import OCI_LAYER, Blob, digest
from tests.support.server import Server
from tests.support.waiting import PATIENCE_SECONDS, wait_until

REPOSITORY = "stopping/app"
LARGE = 48 << 20


@pytest.fixture
def endpoints(fresh_server: StartServer) -> Iterator[Endpoints]:
    with endpoints_of(fresh_server()) as both:
        both.ecr.create_repository(repositoryName=REPOSITORY)
        yield both


def begin_stop(server: Server) -> subprocess.Popen[bytes]:
    """Tell the server to stop, and return when it has begun to: it accepts no new connections."""
    process = server.process
    assert process is not None
    server.process = None
    process.send_signal(signal.SIGTERM)
    wait_until(lambda: not takes_connections(server))
    return process


def takes_connections(server: Server) -> bool:
    """Whether a new connection is served. The kernel may still queue one, which then ends without a response."""
    try:
        with socket.create_connection((server.host, server.port), timeout=0.5) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: r\r\nConnection: close\r\n\r\n")
            return connection.recv(1) != b""
    except OSError:
        return False


def check_ended_well(server: Server, process: subprocess.Popen[bytes]) -> None:
    try:
        assert process.wait(PATIENCE_SECONDS) == 0, server.output()
    finally:
        process.kill()
    assert "Traceback" not in server.output(), server.output()


def known(endpoints: Endpoints) -> dict[str, str | int]:
    return {"Host": "r", "Authorization": endpoints.docker.authorization or ""}


def test_an_upload_in_progress_is_finished(endpoints: Endpoints) -> None:
    server, body = endpoints.server, random.Random(1).randbytes(600_000)
    location = endpoints.docker.post(f"/v2/{REPOSITORY}/blobs/uploads/").headers["Location"]
    with Connection(server) as connection:
        connection.send(head("PATCH", location, known(endpoints) | {"Content-Length": len(body)}) + body[:200_000])
        time.sleep(0.2)
        process = begin_stop(server)
        for start in range(200_000, len(body), 100_000):
            connection.send(body[start : start + 100_000])
            time.sleep(0.05)

        assert connection.first_line().split()[1] == b"202"
    check_ended_well(server, process)

    server.start()
    assert upload_size(endpoints, REPOSITORY, location.rpartition("/")[2]) == len(body)


def test_a_pull_in_progress_is_finished(endpoints: Endpoints) -> None:
    server, blob = endpoints.server, Blob(random.Random(2).randbytes(LARGE), OCI_LAYER)
    endpoints.docker.push_blob(REPOSITORY, blob)
    with Connection(server) as connection:
        connection.send(
            head("GET", f"/v2/{REPOSITORY}/blobs/{blob.digest}", known(endpoints) | {"Connection": "close"})
        )
        assert connection.first_line().split()[1] == b"200"
        process = begin_stop(server)
        time.sleep(0.3)

        content = connection.reply(seconds=60).content.partition(b"\r\n\r\n")[2]
    check_ended_well(server, process)
    assert (len(content), digest(content)) == (LARGE, blob.digest)


def test_a_server_that_is_stopped_repeatedly_keeps_what_it_acknowledged(endpoints: Endpoints) -> None:
    journal = Journal()
    for number in range(3):
        blob = Blob(random.Random(number).randbytes(300_000), OCI_LAYER)
        endpoints.docker.push_blob(REPOSITORY, blob)
        journal.layer(REPOSITORY, blob)
        endpoints.server.restart()
    check_all(endpoints, journal)


def test_ctrl_c_stops_the_server_cleanly(fresh_server: StartServer) -> None:
    """A terminal sends SIGINT to the main process and to its workers."""
    server = fresh_server()
    process, server.process = server.process, None
    assert process is not None

    process.send_signal(signal.SIGINT)

    check_ended_well(server, process)
