"""The power fails while clients push at both endpoints: after the next boot everything acknowledged exists.

The data folder is on a file system in a file. `FS_IOC_SHUTDOWN` stops it like a power cut: what was not synced is lost.
"""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.api.ecr.pushing import begin, complete, put, send_part
from tests.faults.durability.endpoints import Crashed, Endpoints, Journal, endpoints_of, unanswered_as_crash
from tests.faults.durability.promises import check_all, check_p8_repeating_converges, check_p11_restarts_at_once
from tests.support.disks import LoopDisk, loop_disk
from tests.support.images import OCI_LAYER, Blob, Image, image
from tests.support.server import Server

ROUNDS = int(os.environ.get("MOORAGE_TEST_POWER_CUTS", "20"))
SIZES = (100, 40_000, 300_000, 1_500_000)
REPOSITORY = "power/cuts"
LONGEST_SECONDS = 1.2

_log = logging.getLogger(__name__)


class Client:
    """Pushes one image after the other, each with new layers, until the power fails, and keeps a journal."""

    def __init__(self, endpoints: Endpoints, seed: int) -> None:
        self.endpoints = endpoints
        self.journal = Journal()
        self.random = random.Random(seed)
        self.tag = f"client-{seed}"
        self.pushed = 0

    def new_image(self) -> Image:
        layers = [self.random.randbytes(self.random.choice(SIZES)) for _ in range(self.random.randint(1, 2))]
        return image([Blob(content, OCI_LAYER) for content in layers])

    def run(self, push: Callable[[Client, Image], None]) -> None:
        """Push until an error. On a disk without power any error may occur."""
        while True:
            try:
                with unanswered_as_crash():
                    push(self, self.new_image())
            except (Crashed, AssertionError, self.endpoints.ecr.exceptions.ClientError):
                return
            self.pushed += 1


def push_by_docker(client: Client, pushed: Image) -> None:
    """Push layers in two chunks, the second one with the completion."""
    docker, journal = client.endpoints.docker, client.journal
    for blob in pushed.blobs:
        half = len(blob.content) // 2
        started = docker.post(f"/v2/{REPOSITORY}/blobs/uploads/")
        assert started.status == 202, started
        location, upload = started.headers["Location"], started.headers["Docker-Upload-UUID"]
        with journal.growing(REPOSITORY, upload, half):
            assert docker.patch(location, blob.content[:half]).status == 202
        with journal.finishing(REPOSITORY, upload, blob):
            assert docker.put(f"{location}?digest={blob.digest}", blob.content[half:]).status == 201
    with journal.tagging(REPOSITORY, client.tag, pushed.manifest):
        path = f"/v2/{REPOSITORY}/manifests/{client.tag}"
        answer = docker.put(path, pushed.manifest.content, {"Content-Type": pushed.manifest.media_type})
        assert answer.status == 201, answer


def push_by_api(client: Client, pushed: Image) -> None:
    ecr, journal = client.endpoints.ecr, client.journal
    for blob in pushed.blobs:
        upload = begin(ecr, REPOSITORY)
        with journal.growing(REPOSITORY, upload, len(blob.content)):
            send_part(ecr, REPOSITORY, upload, 0, blob.content)
        with journal.finishing(REPOSITORY, upload, blob):
            complete(ecr, REPOSITORY, upload, blob.digest)
    with journal.tagging(REPOSITORY, client.tag, pushed.manifest):
        put(ecr, REPOSITORY, pushed, client.tag)


def push_until_the_power_fails(endpoints: Endpoints, disk: LoopDisk, seed: int) -> list[Client]:
    """Four clients, two at each endpoint. The cut comes at a random time that `seed` determines."""
    clients = [Client(endpoints, 4 * seed + number) for number in range(4)]
    cut = threading.Timer(random.Random(seed).uniform(0.1, LONGEST_SECONDS), disk.cut)
    with ThreadPoolExecutor(len(clients)) as pool:
        cut.start()
        pushing = [
            pool.submit(client.run, push_by_docker if number % 2 else push_by_api)
            for number, client in enumerate(clients)
        ]
        for each in pushing:
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
                check_p11_restarts_at_once(server)
                for client in clients:
                    check_all(endpoints, client.journal)
                    journal = client.journal
                    pushed += client.pushed
                    acknowledged += (
                        len(journal.layers) + len(journal.manifests) + len(journal.tags) + len(journal.uploads)
                    )
                check_p8_repeating_converges(endpoints, REPOSITORY, clients[0].new_image(), "after")
                _forget_images(endpoints)
    finally:
        if server.process is not None:
            server.kill()
        time.sleep(0.1)  # The kernel closes the files of the killed processes.
    _log.info(
        "%s: %d cuts, %d images, %d things acknowledged, none lost", disk.place.name, ROUNDS, pushed, acknowledged
    )
    assert pushed >= ROUNDS


def _forget_images(endpoints: Endpoints) -> None:
    """Keep the checks of the next round short: they read everything that exists."""
    digests = {row["imageDigest"] for row in endpoints.image_ids(REPOSITORY)}
    for digest in digests:
        assert endpoints.docker.delete(f"/v2/{REPOSITORY}/manifests/{digest}").status == 202
