"""Clients push, pull, untag and delete images of the same layers while a collector runs without a grace period.

Each image is pushed once, under a digest that no other image has, so a deleted image never returns. A missing layer of
a manifest that is served before *and* after the look is therefore an error.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from moorage.adapters.files.blob_store import FileBlobStore
from moorage.core.clock import system_clock
from moorage.core.garbage.collect import CollectionRules, Collector, Totals
from tests.api.ecr.pushing import upload_blobs
from tests.conftest import StartServer
from tests.faults.durability.endpoints import Endpoints, Named, endpoints_of
from tests.faults.durability.promises import (
    check_database_is_whole,
    check_p2_never_wrong_bytes,
    check_p3_no_dangling_image,
    check_p6_garbage_goes,
)
from tests.operations.garbage.registry import GarbageRegistry
from tests.support.databases import engine_of
from tests.support.images import Blob, Image, image, layer
from tests.support.waiting import PATIENCE_SECONDS

REPOSITORIES = ("race/a", "race/b")
LAYERS = [layer(20_000, seed=seed) for seed in range(6)]
TAGS = ("v1", "v2", "latest")
FEW = 40
LONGEST_REST = 0.3
"""The longest pause of the collector in seconds. Some pushes end within one pause, others do not."""


ENOUGH = 5
"""How often each of these must have happened."""

COUNTED = ("collected", "blob gone", "pulled", "pushed by docker", "pushed by the API")


@dataclass
class Race:
    """Shared by all clients: when the test ends, which images may exist, and what each client did.

    It ends at `end`, or later, when everything has happened often enough; at `latest` in any case.
    """

    endpoints: Endpoints
    end: float
    latest: float
    known: list[tuple[str, Image]] = field(default_factory=list)
    done: dict[str, int] = field(default_factory=dict)
    holes: list[str] = field(default_factory=list)

    def count(self, what: str) -> None:
        self.done[what] = self.done.get(what, 0) + 1

    def runs(self) -> bool:
        now = time.monotonic()
        return not self.holes and (now < self.end or (now < self.latest and not self.has_enough()))

    def has_enough(self) -> bool:
        return all(self.done.get(what, 0) > ENOUGH for what in COUNTED)

    def stop(self) -> None:
        self.end = self.latest = 0


def new_image(chance: random.Random, numbers: Iterator[int], who: str) -> Image:
    """An image of shared layers that was never pushed before."""
    layers = chance.sample(LAYERS, 3)
    return image(layers, extra={"annotations": {"number": f"{who}-{next(numbers)}"}})


def push_by_docker(race: Race, chance: random.Random) -> None:
    numbers = itertools.count()
    while race.runs():
        repository, pushed = chance.choice(REPOSITORIES), new_image(chance, numbers, f"docker-{chance.random()}")
        reference = chance.choice([*TAGS, pushed.manifest.digest])
        while race.runs():
            if is_pushed_by_docker(race, chance, repository, pushed, reference):
                race.known.append((repository, pushed))
                race.count("pushed by docker")
                break
            race.count("pushed again")


def is_pushed_by_docker(race: Race, chance: random.Random, repository: str, pushed: Image, reference: str) -> bool:
    """HEAD each layer, send or mount the missing ones, then send the manifest. False if a layer was removed before
    that.
    """
    for blob in pushed.blobs:
        send_by_docker(race, repository, blob, mount=chance.random() < 0.5)
    path, media_type = f"/v2/{repository}/manifests/{reference}", {"Content-Type": pushed.manifest.media_type}
    answer = race.endpoints.docker.put(path, pushed.manifest.content, media_type)
    assert answer.status == 201 or answer.error_codes() == ["MANIFEST_BLOB_UNKNOWN"], answer
    return answer.status == 201


def send_by_docker(race: Race, repository: str, blob: Blob, *, mount: bool) -> None:
    docker = race.endpoints.docker
    if docker.head(f"/v2/{repository}/blobs/{blob.digest}").status == 200:
        return
    if mount:
        (other,) = set(REPOSITORIES) - {repository}
        if docker.post(f"/v2/{repository}/blobs/uploads/?mount={blob.digest}&from={other}").status == 201:
            race.count("mounted")
            return
    docker.push_blob(repository, blob)


def push_by_api(race: Race, chance: random.Random) -> None:
    numbers = itertools.count()
    while race.runs():
        repository, pushed = chance.choice(REPOSITORIES), new_image(chance, numbers, f"api-{chance.random()}")
        while race.runs():
            if is_pushed_by_api(race, chance, repository, pushed):
                race.known.append((repository, pushed))
                race.count("pushed by the API")
                break
            race.count("pushed again")


def is_pushed_by_api(race: Race, chance: random.Random, repository: str, pushed: Image) -> bool:
    """False if a layer was removed before the manifest arrived, or if another client sent a layer first."""
    ecr = race.endpoints.ecr
    try:
        upload_blobs(ecr, repository, pushed.blobs)
        ecr.put_image(
            repositoryName=repository, imageManifest=pushed.manifest.content.decode(), imageTag=chance.choice(TAGS)
        )
    except (ecr.exceptions.LayersNotFoundException, ecr.exceptions.LayerAlreadyExistsException):
        return False
    return True


def pull(race: Race, chance: random.Random) -> None:
    """If a manifest is served, all its layers are served, unless the manifest is gone by then."""
    docker = race.endpoints.docker
    while race.runs():
        if not race.known:
            time.sleep(0.01)
            continue
        repository, pulled = chance.choice(race.known[-20:])
        path = f"/v2/{repository}/manifests/{pulled.manifest.digest}"
        if docker.get(path).status != 200:
            continue
        for blob in pulled.blobs:
            answer = docker.get(f"/v2/{repository}/blobs/{blob.digest}")
            if answer.status == 200:
                assert hashlib.sha256(answer.body).hexdigest() == blob.digest.removeprefix("sha256:")
            elif docker.get(path).status == 200:
                race.holes.append(f"{Named(repository, pulled.manifest.digest)} lacks {blob.digest}: {answer}")
        race.count("pulled")


def delete(race: Race, chance: random.Random) -> None:
    """Delete images while there are more than four, with a pause if there are few."""
    while race.runs():
        if len(race.known) < FEW:
            time.sleep(0.02)
        if len(race.known) > 4:
            repository, deleted = race.known.pop(chance.randrange(len(race.known)))
            answer = race.endpoints.docker.delete(f"/v2/{repository}/manifests/{deleted.manifest.digest}")
            assert answer.status == 202, answer
            race.count("deleted")


def untag(race: Race, chance: random.Random) -> None:
    while race.runs():
        time.sleep(0.05)
        answer = race.endpoints.docker.delete(f"/v2/{chance.choice(REPOSITORIES)}/manifests/{chance.choice(TAGS)}")
        assert answer.status in {202, 404}, answer
        race.count("untagged")


def collect(race: Race, chance: random.Random) -> None:
    """Collect repeatedly, with random pauses."""
    totals = Totals()

    async def run() -> None:
        database, blobs = engine_of(race.endpoints.server.data).open(), FileBlobStore(race.endpoints.server.data)
        database.start()
        try:
            while race.runs():
                await Collector(database, blobs, system_clock).collect(CollectionRules(grace=0, share=1), totals)
                race.count("collected")
                race.done |= {f"{kind} gone": count for kind, count in totals.counts.items()}
                await asyncio.sleep(chance.uniform(0, LONGEST_REST))
        finally:
            database.close()
            blobs.close()

    asyncio.run(run())


ACTORS = [push_by_docker, push_by_docker, push_by_api, pull, pull, delete, untag, collect]


def run_all(race: Race, actors: Sequence[Callable[[Race, random.Random], None]]) -> list[BaseException]:
    """Run the actors at the same time, and return their exceptions. An exception ends the race."""
    failures: list[BaseException] = []

    def run(number: int, actor: Callable[[Race, random.Random], None]) -> None:
        try:
            actor(race, random.Random(number))
        except BaseException as error:  # noqa: BLE001 - the test fails with it
            failures.append(error)
            race.stop()

    threads = [threading.Thread(target=run, args=item) for item in enumerate(actors)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


@pytest.mark.parametrize(
    "seconds",
    [
        pytest.param(10, id="seconds"),
        pytest.param(3600, id="hour", marks=[pytest.mark.long, pytest.mark.timeout(4200)]),
    ],
)
def test_no_served_image_ever_lacks_a_layer(fresh_server: StartServer, seconds: int) -> None:
    # A client that finds its layer pushed by another one leaves its upload open: an hour of that is beyond the quota.
    server = fresh_server(extra_args=["--workers", "2", "--no-access-log", "--quota", "open-uploads=1000000"])
    with endpoints_of(server) as endpoints:
        for name in REPOSITORIES:
            endpoints.ecr.create_repository(repositoryName=name)
        end = time.monotonic() + seconds
        race = Race(endpoints, end, end + PATIENCE_SECONDS)
        assert run_all(race, ACTORS) == []
        assert race.holes == []
        assert race.has_enough(), race.done

        GarbageRegistry(server, endpoints.ecr, endpoints.docker).collect(grace=0)
        check_p2_never_wrong_bytes(endpoints)
        check_p3_no_dangling_image(endpoints)
        check_database_is_whole(server)
        check_p6_garbage_goes(server)
