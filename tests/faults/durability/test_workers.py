"""One of several worker processes dies: the others continue, and it is replaced."""

from __future__ import annotations

import itertools
import os
import signal
import time

from tests.api.ecr.pushing import push, variants
from tests.conftest import StartServer
from tests.faults.durability.endpoints import Crashed, Journal, endpoints_of, unanswered_as_crash
from tests.faults.durability.promises import check_all, check_p10_bounded
from tests.support.server import Server
from tests.support.waiting import PATIENCE_SECONDS


def other_workers_than(server: Server, before: list[int]) -> list[int]:
    """Wait until the server has all its workers again, one of them new."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        now = server.workers()
        if len(now) == len(before) and set(now) != set(before):
            return now
        time.sleep(0.02)
    raise AssertionError(f"still {server.workers()} instead of {before}")


def test_a_killed_worker_is_replaced_and_the_others_continue(fresh_server: StartServer) -> None:
    server = fresh_server(extra_args=["--workers", "2"])
    before = server.workers()
    journal, images = Journal(), variants()
    with endpoints_of(server) as endpoints:
        endpoints.ecr.create_repository(repositoryName="team/app")
        push(endpoints.ecr, "team/app", next(images))

        os.kill(before[0], signal.SIGKILL)
        lost = 0
        for each in itertools.islice(images, 20):
            try:
                with unanswered_as_crash(), journal.tagging("team/app", "v1", each.manifest):
                    endpoints.docker.push("team/app", each, "v1")
            except Crashed:  # The connection was in the queue of the dead worker. The next ones go to a living worker.
                lost += 1
        after = other_workers_than(server, before)

        assert lost <= 2

        assert len(set(before) & set(after)) == 1
        check_all(endpoints, journal)
        check_p10_bounded(server)


def test_an_idle_server_has_the_configured_number_of_workers(fresh_server: StartServer) -> None:
    server = fresh_server(extra_args=["--workers", "3"])

    assert len(server.workers()) == 3
    assert len(server.processes()) == 4
