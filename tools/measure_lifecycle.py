"""Measure runs of a lifecycle policy over a large repository, and their effect on concurrent pushes.

.venv/bin/python tools/measure_lifecycle.py [--images 100000] [--remove 1000] [--rounds 5] [--seconds 8]

Writes rows directly into the database of a new data folder and starts a server on it. Clients push small manifests to
the server without a pause. Each round pushes for some seconds without a run, and then as long as a run takes. Prints
each round, and the medians.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import http.client
import itertools
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from moorage import app
from moorage.adapters.data_folder import DataFolder
from moorage.config.settings import Settings
from moorage.core.clock import system_clock
from moorage.core.lifecycle import policies as lifecycle
from moorage.core.registry import repositories
from moorage.domain.identity.root_keys import FIRST_ACCOUNT
from moorage.domain.names import Registry, RepositoryName
from moorage.domain.units import SECOND
from moorage.metadata import jobs
from moorage.metadata.database import Transaction
from moorage.metadata.engines.sqlite.database import SqliteDatabase
from moorage.metadata.engines.sqlite.writer import open_writer
from moorage.metadata.registry import images, new_images
from moorage.metadata.registry.images import Image
from moorage.metadata.registry.repositories import Repository, RepositorySettings

NAME = RepositoryName("team/app")
HERE = Registry(FIRST_ACCOUNT, "us-east-1")
CLIENTS = 4
MEDIA_TYPE = "application/vnd.oci.image.manifest.v1+json"


def fill(tx: Transaction, count: int) -> Repository:
    """A repository of so many images. Every second image has two tags, and the others have none."""
    now = system_clock()
    new_repository = repositories.NewRepository(HERE, NAME, RepositorySettings(), {})
    repository = repositories.create(tx, new_repository, app.limits_of(Settings()), now)
    for number in range(count):
        digest = "sha256:" + hashlib.sha256(b"%d" % number).hexdigest()
        pushed_at = now - (count - number) * SECOND
        image = Image(0, repository.id, digest, MEDIA_TYPE, None, None, 1, 600, pushed_at)
        image_id = new_images.insert(tx, image, b" " * 600).id
        for tag in (f"v{number}", f"build-{number}") if number % 2 else ():
            images.add_tag(tx, repository.id, tag, image_id, pushed_at)
    return repository


def policy(keep: int) -> str:
    """A policy that checks every image with three rules and removes the surplus untagged ones."""
    rules = [
        _rule(1, {"tagStatus": "tagged", "tagPatternList": ["build-*"]}, 10_000_000),
        _rule(2, {"tagStatus": "untagged"}, keep),
        _rule(3, {"tagStatus": "any"}, 10_000_000),
    ]
    return json.dumps({"rules": rules})


def _rule(priority: int, selection: dict[str, object], count: int) -> dict[str, object]:
    counted = {"countType": "imageCountMoreThan", "countNumber": count}
    return {"rulePriority": priority, "selection": selection | counted, "action": {"type": "expire"}}


class Pushers:
    """Clients that push one small manifest after the other, each on its own connection."""

    def __init__(self, port: int, key: tuple[str, str]) -> None:
        self._port = port
        self._headers = {
            "authorization": "Basic " + base64.b64encode(":".join(key).encode()).decode(),
            "content-type": MEDIA_TYPE,
        }
        self._numbers = itertools.count()
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._push_all) for _ in range(CLIENTS)]
        self.times: list[float] = []

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    def rate(self, began: float, ended: float) -> float:
        """Pushes per second between two times."""
        return sum(began <= at < ended for at in self.times) / (ended - began)

    def _push_all(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port)
        while not self._is_over.is_set():
            number = next(self._numbers)
            config = {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": "sha256:" + "0" * 64,
                "size": 2,
            }
            manifest = {"schemaVersion": 2, "config": config, "layers": [], "annotations": {"number": str(number)}}
            connection.request("PUT", f"/v2/{NAME}/manifests/push-{number}", json.dumps(manifest), self._headers)
            answer = connection.getresponse()
            if answer.status != 201:
                raise SystemExit(answer.read().decode())
            answer.read()
            self.times.append(time.monotonic())


@contextmanager
def served(folder: Path) -> Iterator[int]:
    """A server on the folder, and its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--listen", f"127.0.0.1:{port}", "--data", str(folder), "--lifecycle-delay", "3600"]
    options += ["--sparse-manifests", "--no-access-log", "--quota", "images-per-repository=10000000"]
    server = subprocess.Popen([sys.executable, "-m", "moorage", "serve", *options])
    try:
        while not _is_ready(port):
            if server.poll() is not None:
                raise SystemExit("the server did not start")
            time.sleep(0.1)
        yield port
    finally:
        server.terminate()
        server.wait()


def _is_ready(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def run(folder: Path, repository: Repository, keep: int) -> tuple[float, float]:
    """Put a policy that is due at once. Returns the begin and the end of its run."""
    database = SqliteDatabase(folder / "moorage.db")
    with open_writer(folder / "moorage.db") as writer:
        writer.transact(lambda tx: jobs.delete(tx, lifecycle.JOB, str(repository.id)))
        writer.transact(lambda tx: lifecycle.put(tx, repository, policy(keep), system_clock()))
    while database.read_blocking(lambda tx: jobs.next_due(tx, [lifecycle.JOB])) <= system_clock():
        time.sleep(0.02)  # A worker checks once a second.
    began = time.monotonic()
    while database.read_blocking(lambda tx: lifecycle.get(tx, repository)).evaluated_at == 0:
        time.sleep(0.02)
    ended = time.monotonic()
    database.close()
    return began, ended


def measure(folder: Path, count: int, remove: int, rounds: int, seconds: float) -> None:
    app.prepare(Settings(data=folder), DataFolder(folder))
    with open_writer(folder / "moorage.db") as writer:
        repository = writer.transact(lambda tx: fill(tx, count))
    key = DataFolder(folder).credentials()
    durations, ratios = [], []
    with served(folder) as port:
        pushers = Pushers(port, key or ("", ""))
        pushers.start()
        time.sleep(seconds)
        for number in range(1, rounds + 1):
            quiet = time.monotonic()
            time.sleep(seconds)
            before = pushers.rate(quiet, time.monotonic())
            began, ended = run(folder, repository, count // 2 - number * remove)
            beside = pushers.rate(began, ended)
            durations.append(ended - began)
            ratios.append(beside / before)
            print(f"round {number}: run {ended - began:.1f} s; pushes {before:.0f}/s without, {beside:.0f}/s with it")
        pushers.stop()
    print(f"median: run {statistics.median(durations):.1f} s; pushes beside it {statistics.median(ratios):.0%}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure runs of a lifecycle policy beside pushes.")
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--remove", type=int, default=1_000, help="images that each run removes")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8.0, help="of pushes without a run, in each round")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), asked.images, asked.remove, asked.rounds, asked.seconds)


if __name__ == "__main__":
    main()
