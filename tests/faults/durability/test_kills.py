"""kill -9 of the whole server while clients push, also while it starts: nothing acknowledged is lost, nothing stays.

Every second kill hits the main process alone, as the kernel does when memory is short: its workers then end with it.
"""

from __future__ import annotations

import itertools
import logging
import os
import random
import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.conftest import StartServer
from tests.faults.durability.endpoints import Crashed, Endpoints, Journal, endpoints_of
from tests.faults.durability.load import Client, forget_images, joined
from tests.faults.durability.promises import (
    check_all,
    check_p1_acknowledged_is_durable,
    check_p6_garbage_goes,
    check_p8_repeating_converges,
    check_p11_starts_without_a_scan,
)
from tests.support.open_files import open_files
from tests.support.server import Server
from tests.support.waiting import wait_until

REPOSITORY: Final = "team/kills"
CLIENTS: Final = 4
WORKERS: Final = ("--workers", "2")
LONGEST_SECONDS: Final = 1.0
ROUNDS_A_CHECK: Final = 10
"""After this many rounds everything is checked and deleted, so that the checks stay short."""

_log = logging.getLogger(__name__)


class Campaign:
    """One server, and the clients that have pushed to it since everything was checked."""

    def __init__(self, server: Server, endpoints: Endpoints) -> None:
        self.server = server
        self.endpoints = endpoints
        self.random = random.Random(1)
        self.clients: list[Client] = []
        self.numbers = itertools.count()
        self.starts = check_p11_starts_without_a_scan(server, extra_args=WORKERS)
        self.kills = self.pushed = self.acknowledged = 0

    def round(self, *, with_a_killed_start: bool) -> None:
        """Kill the server under load, perhaps once more while it starts, start it, and check what was acknowledged."""
        with self._clients_that_push() as clients:
            time.sleep(self.random.uniform(0.1, LONGEST_SECONDS))
            self._kill()
            if with_a_killed_start:
                self.server.launch(extra_args=WORKERS)
                time.sleep(self.random.uniform(0, 1.2 * statistics.median(self.starts)))
                self._kill()
        self.starts += check_p11_starts_without_a_scan(self.server, extra_args=WORKERS)
        check_p1_acknowledged_is_durable(self.endpoints, joined(clients))
        self.clients += clients

    @contextmanager
    def _clients_that_push(self) -> Iterator[list[Client]]:
        """Clients at both endpoints that try again for as long as the block runs."""
        stopped = threading.Event()
        clients = [Client(self.endpoints, REPOSITORY, next(self.numbers)) for _ in range(CLIENTS)]
        with ThreadPoolExecutor(CLIENTS) as pool:
            pushing = [pool.submit(push_until, stopped, client) for client in clients]
            try:
                yield clients
            finally:
                stopped.set()
        for each in pushing:
            each.result()

    def _kill(self) -> None:
        """Kill the server in one of two ways, and check that none of its processes is left."""
        self.kills += 1
        if self.kills % 2:
            self.server.kill()
        else:
            self.server.kill_main_process()
        wait_until(lambda: not processes_that_use(self.server.data))

    def check_everything(self) -> None:
        """Check what was acknowledged in all rounds, also by a collection without grace period, and delete it."""
        journal = joined(self.clients)
        check_all(self.endpoints, journal)
        check_p8_repeating_converges(self.endpoints, REPOSITORY, self.clients[0].new_image(), "after")
        for repository, upload in journal.uploads:
            assert self.endpoints.docker.delete(f"/v2/{repository}/blobs/uploads/{upload}").status == 204
        self.server.moorage("collect", "--grace", "0", "--upload-life", "0")
        check_all(self.endpoints, Journal(manifests=journal.manifests, tags=journal.tags))
        check_p6_garbage_goes(self.server)
        forget_images(self.endpoints, REPOSITORY)
        self.pushed += sum(client.pushed for client in self.clients)
        self.acknowledged += journal.acknowledged
        self.clients.clear()
        _log.info("%d kills, %d things acknowledged, none lost", self.kills, self.acknowledged)


def push_until(stopped: threading.Event, client: Client) -> None:
    while not stopped.is_set():
        try:
            client.push()
        except Crashed:
            stopped.wait(0.02)


def processes_that_use(folder: Path) -> list[int]:
    """The processes that have a file in the folder open."""
    processes = [int(process.name) for process in Path("/proc").glob("[0-9]*")]
    found = [pid for pid in processes if any(folder in each.parents for each in open_files(pid))]
    return [pid for pid in found if pid != os.getpid()]


@pytest.mark.parametrize(
    ("kills", "in_starts"),
    [(4, 1), pytest.param(300, 50, marks=[pytest.mark.long, pytest.mark.timeout(5400)])],
    ids=["4", "300"],
)
def test_kills_lose_nothing_that_was_acknowledged_and_leave_no_process(
    fresh_server: StartServer, kills: int, in_starts: int
) -> None:
    server = fresh_server(extra_args=WORKERS)
    rounds = kills - in_starts
    with endpoints_of(server) as endpoints:
        endpoints.ecr.create_repository(repositoryName=REPOSITORY)
        campaign = Campaign(server, endpoints)
        for number in range(1, rounds + 1):
            campaign.round(with_a_killed_start=number * in_starts // rounds > (number - 1) * in_starts // rounds)
            if number % ROUNDS_A_CHECK == 0 or number == rounds:
                campaign.check_everything()
    _log.info(
        "%d of the kills in starts; %d starts, median %.2f s, longest %.2f s; %d images pushed",
        in_starts,
        len(campaign.starts),
        statistics.median(campaign.starts),
        max(campaign.starts),
        campaign.pushed,
    )
    assert campaign.kills >= kills
    assert campaign.pushed >= rounds
