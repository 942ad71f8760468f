"""Worker processes: they are replaced when they die, end with their main process, and share limits."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.conftest import StartServer
from tests.faults.http.raw import Connection
from tests.support.aws import aws_client
from tests.support.http_client import Docker
from tests.support.open_files import open_files
from tests.support.server import Server
from tests.support.waiting import PATIENCE_SECONDS, wait_until

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: r\r\n\r\n"


def workers_of(server: Server, count: int) -> list[int]:
    """The worker processes, once all are started: a server is ready when the first of them is."""
    wait_until(lambda: len(server.workers()) == count)
    return server.workers()


def test_workers_end_with_a_main_process_that_is_killed_and_a_server_can_start_again(fresh_server: StartServer) -> None:
    """As the kernel kills it when memory is short."""
    server = fresh_server(extra_args=["--workers", "3"])
    workers_of(server, 3)

    server.kill_main_process()

    server.start()
    with aws_client(server) as ecr:
        ecr.describe_registry()


def test_a_main_process_that_is_killed_while_it_starts_leaves_no_worker(fresh_server: StartServer) -> None:
    server = fresh_server()
    server.stop()
    for _ in range(3):
        server.launch(extra_args=["--workers", "3"])
        wait_until(lambda: bool(server.workers()))
        server.kill_main_process()
    server.start()


def test_a_worker_that_dies_again_and_again_is_replaced_and_the_others_serve(fresh_server: StartServer) -> None:
    server = fresh_server(extra_args=["--workers", "2"])
    victim, other = workers_of(server, 2)

    for _ in range(4):
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: victim not in server.workers())  # noqa: B023 - called in this round only
        assert Docker(server.host, server.port, None).get("/v2/").status == 401
        wait_until(lambda: len(server.workers()) == 2)
        (victim,) = set(server.workers()) - {other}

    assert other in server.workers()
    wait_until(lambda: server.output().count('"event":"worker-died"') == 4)
    assert '"reason":"killed by SIGKILL"' in server.output()


def test_both_workers_can_die_at_once(fresh_server: StartServer) -> None:
    server = fresh_server(extra_args=["--workers", "2"])

    for worker in workers_of(server, 2):
        os.kill(worker, signal.SIGKILL)

    wait_until(lambda: server.is_ready("/readyz"))


BROKEN = """
from moorage.http.draining import Drain
from moorage.http.server.limits import ConnectionLimits
from moorage.http.server.listeners import listen
from moorage.http.server.supervisor import Supervisor

def broken():
    raise RuntimeError("the application cannot be built")

Supervisor(broken, listen("127.0.0.1", 0), 2, ConnectionLimits(), None, print).run(Drain(), print)
"""


def test_a_server_whose_workers_never_start_ends_with_an_error() -> None:
    """A service manager then sees that the start failed. Once a worker has served, the server tries again for ever."""
    ended = subprocess.run([sys.executable, "-c", BROKEN], capture_output=True, text=True, timeout=60, check=False)

    assert ended.returncode == 1
    assert "the application cannot be built" in ended.stderr
    assert "WorkersFailed: no worker process could start" in ended.stderr


@contextmanager
def connections(server: Server, count: int) -> Iterator[list[Connection]]:
    with ExitStack() as stack:
        yield [stack.enter_context(Connection(server)) for _ in range(count)]


def test_connections_beyond_the_limit_get_a_response_and_the_others_go_on(fresh_server: StartServer) -> None:
    server = fresh_server(extra_args=["--workers", "1", "--max-connections-per-client", "20"])
    with connections(server, 18) as opened:
        for each in opened:
            each.send(HEALTH)
            assert each.reply(0.1).statuses == [200]
        with connections(server, 30) as further:
            statuses = [each.first_line(PATIENCE_SECONDS).split()[1:2] for each in further if sent(each)]
            assert [b"503"] in statuses
        opened[0].send(HEALTH)
        assert opened[0].reply(0.1).statuses == [200]
    wait_until(lambda: server.is_ready("/readyz"))


def sent(connection: Connection) -> bool:
    """Send a request; whether the server had not closed the connection before."""
    try:
        connection.send(HEALTH)
    except OSError:
        return False
    return True


def test_the_limit_of_open_files_is_raised_and_connections_never_reach_it(tmp_path: Path) -> None:
    """A service manager starts programs with a soft limit of 1,024."""
    server = Server(tmp_path / "data")
    limit = "import resource, os, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (600, 700)); "
    program = [sys.executable, "-c", f"{limit}os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"]
    words = ["-m", "moorage", "serve", "--listen", f"{server.host}:{server.port}", "--data", str(server.data)]
    with server.log.open("ab") as log:
        process = subprocess.Popen([*program, *words, "--workers", "1"], stdout=log, stderr=log, start_new_session=True)
    server.process = process
    try:
        server.wait_until_ready()
        (worker,) = server.workers()
        assert resource.prlimit(worker, resource.RLIMIT_NOFILE) == (700, 700)
        with ExitStack() as stack:
            for _ in range(700):
                stack.enter_context(socket.create_connection((server.host, server.port), timeout=60))
            refused = stack.enter_context(Connection(server))
            assert b"503" in refused.first_line(PATIENCE_SECONDS)
        wait_until(lambda: server.is_ready("/readyz"))
        with aws_client(server) as ecr:
            ecr.create_repository(repositoryName="team/app")
        assert "Traceback" not in server.output()
    finally:
        server.kill()


def sockets_of(pid: int) -> int:
    return sum(str(each).startswith("socket:") for each in open_files(pid))


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's list of sockets")
def test_connections_are_shared_evenly(fresh_server: StartServer) -> None:
    """The process that is scheduled first accepts, so some attempts are uneven on a busy machine."""
    server = fresh_server(extra_args=["--workers", "2"])
    workers = workers_of(server, 2)
    attempts: list[list[int]] = []
    while not any(min(counts) > 30 for counts in attempts):
        assert len(attempts) < 10, attempts
        with connections(server, 100) as opened:
            for each in opened:
                each.send(HEALTH)
                each.first_line(PATIENCE_SECONDS)
            attempts.append([sockets_of(pid) for pid in workers])
