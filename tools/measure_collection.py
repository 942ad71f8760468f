"""Measure the collector: the time to search for garbage among a million blobs, and the effect on pushes.

.venv/bin/python tools/measure_collection.py [--database URL] [--blobs 1000000] [--seconds 3]

Fills a new data folder, or an empty PostgreSQL database, with that many rows (and no bytes), serves it, and pushes
small layers from four clients. Meanwhile it searches without a pause, first at the pace of the server's own collection
and then at that of `moorage collect --dry-run`. Short measurements with and without the search alternate, because the
machine has other work.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import http.client
import os
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from moorage import app
from moorage.adapters.data_folder import DataFolder
from moorage.cli.collect import SHARE as COMMAND_SHARE
from moorage.config.sources import load
from moorage.core.clock import system_clock
from moorage.core.garbage.collect import CollectionRules, Collector, Totals
from moorage.domain.units import DAY
from moorage.metadata.database import Transaction
from moorage.metadata.engines.engine import Engine
from moorage.metadata.engines.selection import engine_at

CLIENTS = 4
LAYER_BYTES = 4096
ROUNDS = 12
PORT = 18_901


ROWS = 10_000
"""Rows of one round trip to the database."""

REPOSITORY = """
INSERT INTO repository (account, region, name, created_at, tag_mutability, exclusion_filters, scan_on_push,
    encryption_type) VALUES ('000000000000', 'us-east-1', :name, 1, 'MUTABLE', '[]', 0, 'AES256')
"""
BLOB = "INSERT INTO blob (digest, size, storage_key, created_at) VALUES (:digest, 1000, :key, 1)"
LAYER = "INSERT INTO repository_layer (repository_id, blob_id, linked_at, told_at) VALUES (:repository, :blob, 1, 1)"
IMAGE = """
INSERT INTO image (repository_id, digest, media_type, size, manifest_size, annotations, pushed_at)
VALUES (:repository, :digest, 'application/vnd.oci.image.manifest.v1+json', 1, 1, '{}', 1)
"""
NEEDED = """
INSERT INTO image_layer (image_id, blob_id, repository_id, media_type) VALUES (:image, :blob, :repository, 'layer')
"""


def fill(tx: Transaction, blobs: int) -> None:
    """Rows of blobs in 100 repositories: nine tenths are needed by images, one tenth has been unneeded for years.

    The ids are those that an empty database assigns: 1, 2, 3 and so on.
    """
    needed = blobs * 9 // 10
    insert(tx, REPOSITORY, 100, lambda n: {"name": f"filled/{n}"})
    insert(tx, BLOB, blobs, lambda n: {"digest": f"sha256:{digest_of(n)}", "key": f"blobs/{digest_of(n)}"})
    insert(tx, LAYER, blobs, lambda n: {"repository": n % 100 + 1, "blob": n})
    images = (needed // 1000 + 1) * 100
    insert(tx, IMAGE, images, lambda n: {"repository": (n - 1) % 100 + 1, "digest": f"sha256:{digest_of(-n)}"})
    insert(tx, NEEDED, needed, lambda n: {"image": n // 1000 * 100 + n % 100 + 1, "blob": n, "repository": n % 100 + 1})


def insert(tx: Transaction, statement: str, count: int, row: Callable[[int], dict[str, object]]) -> None:
    for first in range(1, count + 1, ROWS):
        tx.run_each(statement, [row(number) for number in range(first, min(first + ROWS, count + 1))])


def digest_of(number: int) -> str:
    return sha256(str(number).encode()).hexdigest()


def measure_search(engine: Engine, share: float) -> tuple[float, float, Totals]:
    """The duration, the processor time of this process, and the findings of a dry run at that share of the time."""
    totals = Totals()

    async def run() -> None:
        database = engine.open()
        database.start()
        rules = CollectionRules(grace=DAY, share=share, dry_run=True)
        await Collector(database, None, system_clock).collect(rules, totals)  # type: ignore[arg-type]  # removes nothing
        database.close()

    started, used = time.perf_counter(), time.process_time()
    asyncio.run(run())
    return time.perf_counter() - started, time.process_time() - used, totals


def pushes(seconds: float, authorization: str) -> float:
    """Layers per second that the clients push."""
    counts = [0] * CLIENTS
    end = time.monotonic() + seconds

    def push(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
        while time.monotonic() < end:
            content = secrets.token_bytes(LAYER_BYTES)
            path = f"/v2/filled/1/blobs/uploads/?digest=sha256:{sha256(content).hexdigest()}"
            connection.request("POST", path, content, {"Authorization": authorization})
            answer = connection.getresponse()
            answer.read()
            if answer.status != 201:
                raise RuntimeError(f"a push was answered with {answer.status}")
            counts[number] += 1

    threads = [threading.Thread(target=push, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / seconds


def measure_pushes(folder: DataFolder, database: str | None, share: float, seconds: float) -> None:
    """Print the rates of pushes alone, and beside a search without a pause at that share."""
    environment = {
        **os.environ,
        "MOORAGE_DATA": str(folder.path),
        **({"MOORAGE_DATABASE": database} if database else {}),
    }
    serve = [sys.executable, "-m", "moorage", "serve", "--listen", f"127.0.0.1:{PORT}", "--no-access-log"]
    server = subprocess.Popen(serve, env=environment, stderr=subprocess.DEVNULL)
    place = ["--search", str(folder.database), *(["--database", database] if database else [])]
    search = subprocess.Popen([sys.executable, __file__, *place, "--share", str(share)])
    try:
        wait_until_ready()
        key, secret = folder.credentials() or ("", "")
        authorization = "Basic " + base64.b64encode(f"{key}:{secret}".encode()).decode()
        pushes(5, authorization)  # By then everything has started.
        alone: list[float] = []
        beside: list[float] = []
        for _ in range(ROUNDS):
            beside.append(pushes(seconds, authorization))
            search.send_signal(signal.SIGSTOP)
            alone.append(pushes(seconds, authorization))
            search.send_signal(signal.SIGCONT)
        losses = [1 - other / each for each, other in zip(alone, beside, strict=True)]
        slower = statistics.median(losses)
        print(f"beside a search at {share:.0%}: {statistics.median(beside):.0f} pushes a second,", end=" ")
        print(f"alone {statistics.median(alone):.0f}; slower by {slower:.1%} in the median of the pairs")
    finally:
        for process in (search, server):
            process.terminate()
            process.wait()


def wait_until_ready() -> None:
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=5)
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.05)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--blobs", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=3, help="of each turn")
    parser.add_argument("--database", help="an empty database of PostgreSQL; without it, a new data folder")
    parser.add_argument("--search", type=Path, help="only search this database, or --database, without an end")
    parser.add_argument("--share", type=float, default=1, help="of the time, with --search")
    given = parser.parse_args()
    if given.search:
        while True:
            measure_search(engine_at(given.database, given.search, 2), given.share)
    with tempfile.TemporaryDirectory() as place:
        folder = DataFolder(Path(place))
        engine = engine_at(given.database, folder.database, 2)
        if given.database:
            engine.migrate()
        app.prepare(load({"data": folder.path, "database": given.database}, {}), folder)
        engine.transact(lambda tx: fill(tx, given.blobs))
        if given.database:
            engine.transact(lambda tx: tx.run("ANALYZE"))  # The autovacuum daemon would do so a minute later.
        for share in (1.0, COMMAND_SHARE, CollectionRules(grace=DAY).share):
            seconds, used, totals = measure_search(engine, share)
            print(f"search at {share:.0%}: {seconds:.2f} s, {used:.2f} s of a processor; found {totals.counts}")
        measure_pushes(folder, given.database, CollectionRules(grace=DAY).share, given.seconds)
        measure_pushes(folder, given.database, COMMAND_SHARE, given.seconds)


if __name__ == "__main__":
    main()
