"""The power fails while clients push at both endpoints: after the next boot everything acknowledged exists.

The data folder is on a file system in a file. `FS_IOC_SHUTDOWN` stops it like a power cut: what was not synced is lost.
"""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.durability.endpoints import Crashed, Endpoints, endpoints_of
from tests.faults.durability.load import Client, forget_images, joined
from tests.faults.durability.promises import check_all, check_p8_repeating_converges, check_p11_starts_without_a_scan
from tests.support.disks import LoopDisk, loop_disk
from tests.support.server import Server

ROUNDS = int(os.environ.get("MOORAGE_TEST_POWER_CUTS", "20"))
REPOSITORY = "power/cuts"
LONGEST_SECONDS = 1.2

_log = logging.getLogger(__name__)


def push_until_an_error(client: Client) -> None:
    """On a disk without power any error may occur."""
    while True:
        try:
            client.push()
        except (Crashed, AssertionError, client.endpoints.ecr.exceptions.ClientError):
            return


def push_until_the_power_fails(endpoints: Endpoints, disk: LoopDisk, seed: int) -> list[Client]:
    """Four clients, two at each endpoint. The cut comes at a random time that `seed` determines."""
    clients = [Client(endpoints, REPOSITORY, 4 * seed + number) for number in range(4)]
    cut = threading.Timer(random.Random(seed).uniform(0.1, LONGEST_SECONDS), disk.cut)
    with ThreadPoolExecutor(len(clients)) as pool:
        cut.start()
        for each in [pool.submit(push_until_an_error, client) for client in clients]:
            each.result()
    cut.join()
    return clients


@pytest.fixture(params=["ext4", "xfs"])
def disk(request: pytest.FixtureRequest) -> Iterator[LoopDisk]:
    with loop_disk(request.param, 1536) as small:
        yield small


@pytest.mark.long
@pytest.mark.timeout(900)
def test_power_cuts_lose_nothing_that_was_acknowledged(disk: LoopDisk, tmp_path: Path) -> None:
    server = Server(disk.place / "data", log=tmp_path / "server.log")
    server.start()
    pushed = acknowledged = 0
    try:
        with endpoints_of(server) as endpoints:
            endpoints.ecr.create_repository(repositoryName=REPOSITORY)
            for seed in range(ROUNDS):
                clients = push_until_the_power_fails(endpoints, disk, seed)
                server.kill()
                disk.revive()
                check_p11_starts_without_a_scan(server)
                journal = joined(clients)
                check_all(endpoints, journal)
                pushed += sum(client.pushed for client in clients)
                acknowledged += journal.acknowledged
                check_p8_repeating_converges(endpoints, REPOSITORY, clients[0].new_image(), "after")
                forget_images(endpoints, REPOSITORY)
    finally:
        if server.process is not None:
            server.kill()
        time.sleep(0.1)  # The kernel closes the files of the killed processes.
    _log.info(
        "%s: %d cuts, %d images, %d things acknowledged, none lost", disk.place.name, ROUNDS, pushed, acknowledged
    )
    assert pushed >= ROUNDS
