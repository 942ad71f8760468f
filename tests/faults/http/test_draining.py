"""SIGTERM with `--drain`: the server reports that it will stop, serves for a while, and closes its connections."""

from __future__ import annotations

import http.client
import signal
import subprocess
import time

from tests.conftest import StartServer
from tests.faults.http.raw import Connection
from tests.support.server import Server
from tests.support.waiting import PATIENCE_SECONDS, wait_until

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: r\r\n\r\n"


def draining(server: Server) -> subprocess.Popen[bytes]:
    """The process of a server that received SIGTERM, once the server reports it or has ended."""
    process, server.process = server.process, None
    assert process is not None
    process.send_signal(signal.SIGTERM)
    wait_until(lambda: not server.is_ready())
    return process


def status(server: Server, path: str) -> int:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
    connection.request("GET", path)
    answer = connection.getresponse()
    connection.close()
    return answer.status


def test_a_draining_server_is_not_ready_and_closes_each_connection_after_its_response(
    fresh_server: StartServer,
) -> None:
    """A second signal ends the drain time."""
    server = fresh_server(extra_args=["--drain", "1h"])
    with Connection(server) as connection:
        connection.send(HEALTH)
        assert not connection.reply(0.1).closed

        process = draining(server)
        try:
            assert status(server, "/readyz") == 503
            connection.send(HEALTH)
            reply = connection.reply(60)
            assert (reply.statuses, reply.closed) == ([200], True)
            assert b"connection: close" in reply.content.lower()
            assert status(server, "/v2/") == 401
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE_SECONDS) == 0, server.output()
        finally:
            process.kill()
    assert "Traceback" not in server.output(), server.output()


def test_the_drain_time_ends_and_idle_connections_with_it(fresh_server: StartServer) -> None:
    server = fresh_server(extra_args=["--drain", "2s"])
    with Connection(server) as idle:
        idle.send(HEALTH)
        assert not idle.reply(0.1).closed

        signalled = time.monotonic()
        process = draining(server)
        try:
            idle.seconds_until_closed(PATIENCE_SECONDS)
            assert time.monotonic() - signalled >= 1.9
            assert process.wait(PATIENCE_SECONDS) == 0, server.output()
        finally:
            process.kill()
    assert "Traceback" not in server.output(), server.output()
