"""Measure the collector: how long it looks for garbage among a million blobs, and what pushes lose meanwhile.

    .venv/bin/python tools/measure_collection.py [--blobs 1000000] [--seconds 3]

Makes a data folder with that many rows (and no bytes), serves it, pushes small layers from four clients, and lets
the search go on all the time beside them, first at the pace of the server's own collection and then at that of
`moorage collect --dry-run`: pushes with and without it take turns, many short ones, since the machine has other work.
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
from hashlib import sha256
from pathlib import Path

import apsw

from moorage import app
from moorage.adapters.data_folder import DataFolder
from moorage.config import load
from moorage.core.clock import system_clock
from moorage.core.collector import Collector, Rules, Totals
from moorage.metadata.sqlite import SqliteDatabase

CLIENTS = 4
LAYER_BYTES = 4096
ROUNDS = 12
COMMAND_SHARE = 0.4
"""What `moorage collect` takes of a processor."""
PORT = 18_901


def fill(path: Path, blobs: int) -> None:
    """Rows of blobs in 100 repositories: nine tenths needed by images, one tenth unneeded for years."""
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF; BEGIN")
    connection.executemany(
        "INSERT INTO repository (id, account, region, name, created_at, tag_mutability, exclusion_filters,"
        " scan_on_push, encryption_type) VALUES (?, '000000000000', 'us-east-1', ?, 1, 'MUTABLE', '[]', 0, 'AES256')",
        ((number, f"filled/{number}") for number in range(1, 101)),
    )
    connection.executemany(
        "INSERT INTO blob (id, digest, size, storage_key, created_at) VALUES (?, ?, 1000, ?, 1)",
        ((number, f"sha256:{digest_of(number)}", f"blobs/{digest_of(number)}") for number in range(1, blobs + 1)),
    )
    connection.executemany(
        "INSERT INTO repository_layer (repository_id, blob_id, linked_at, told_at) VALUES (?, ?, 1, 1)",
        ((number % 100 + 1, number) for number in range(1, blobs + 1)),
    )
    needed = blobs * 9 // 10
    connection.executemany(
        "INSERT INTO image (id, repository_id, digest, media_type, size, manifest_size, annotations, pushed_at)"
        " VALUES (?, ?, ?, 'application/vnd.oci.image.manifest.v1+json', 1, 1, '{}', 1)",
        ((n, (n - 1) % 100 + 1, f"sha256:{digest_of(-n)}") for n in range(1, (needed // 1000 + 1) * 100 + 1)),
    )
    connection.executemany(
        "INSERT INTO image_layer (image_id, blob_id, repository_id, media_type) VALUES (?, ?, ?, 'layer')",
        ((n // 1000 * 100 + n % 100 + 1, n, n % 100 + 1) for n in range(1, needed + 1)),
    )
    connection.execute("COMMIT")
    connection.close()


def digest_of(number: int) -> str:
    return sha256(str(number).encode()).hexdigest()


def measure_search(path: Path, share: float) -> tuple[float, float, Totals]:
    """Seconds and processor seconds of a dry run at that share of the time, and what it found."""
    totals = Totals()

    async def run() -> None:
        database = SqliteDatabase(path)
        database.start()
        rules = Rules(share=share, dry_run=True)
        await Collector(database, None, system_clock).collect(rules, totals)  # type: ignore[arg-type]  # removes nothing
        database.close()

    started, used = time.perf_counter(), time.process_time()
    asyncio.run(run())
    return time.perf_counter() - started, time.process_time() - used, totals


def pushes(seconds: float, authorization: str) -> float:
    """Layers a second that the clients push."""
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


def measure_pushes(folder: DataFolder, share: float, seconds: float) -> None:
    """Print rates of pushes alone, and beside a search that goes on all the time at that share."""
    environment = {**os.environ, "MOORAGE_DATA": str(folder.path)}
    serve = [sys.executable, "-m", "moorage", "serve", "--listen", f"127.0.0.1:{PORT}", "--no-access-log"]
    server = subprocess.Popen(serve, env=environment, stderr=subprocess.DEVNULL)
    search = subprocess.Popen([sys.executable, __file__, "--search", folder.database, "--share", str(share)])
    try:
        wait_until_ready()
        key, secret = folder.credentials() or ("", "")
        authorization = "Basic " + base64.b64encode(f"{key}:{secret}".encode()).decode()
        pushes(5, authorization)  # Everything has started by then.
        alone: list[float] = []
        beside: list[float] = []
        for _ in range(ROUNDS):
            beside.append(pushes(seconds, authorization))
            search.send_signal(signal.SIGSTOP)
            alone.append(pushes(seconds, authorization))
            search.send_signal(signal.SIGCONT)
        losses = [1 - other / one for one, other in zip(alone, beside, strict=True)]
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
    parser.add_argument("--search", type=Path, help="only search this database, without an end")
    parser.add_argument("--share", type=float, default=1, help="of the time, with --search")
    given = parser.parse_args()
    if given.search:
        while True:
            measure_search(given.search, given.share)
    with tempfile.TemporaryDirectory() as place:
        folder = DataFolder(Path(place))
        app.prepare(load({"data": folder.path}, {}), folder)
        fill(folder.database, given.blobs)
        for share in (1.0, Rules().share):
            seconds, used, totals = measure_search(folder.database, share)
            print(f"search at {share:.0%}: {seconds:.2f} s, {used:.2f} s of a processor; found {totals.counts}")
        measure_pushes(folder, Rules().share, given.seconds)
        measure_pushes(folder, COMMAND_SHARE, given.seconds)


if __name__ == "__main__":
    main()
