"""Destinations that are down, full, slow or killed, and a source that is killed: everything arrives, once."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable

import pytest

from moorage.core.clock import system_clock
from moorage.domain.ports import UPLOAD_ID
from moorage.metadata import gauges as database_gauges
from tests.operations.replication.conftest import ACCOUNT, Pair, docker_of
from tests.support.databases import engine_of
from tests.support.images import image, layer
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(600)
NewPair = Callable[[], Pair]


def status_of(pair: Pair) -> str:
    """The line of the destination."""
    lines = pair.source.moorage("replication", "status").splitlines()
    return next((line for line in lines if line.startswith(f"{pair.region}\t{ACCOUNT}\t")), "")


def test_images_wait_for_a_destination_that_is_down(new_pair: NewPair) -> None:
    pair, one = new_pair(), image(seed=1)
    pair.set_destination()
    pair.replicate()
    repository = pair.repository()
    pair.target.kill()

    pair.push(repository, one, "v1")
    wait_until(lambda: "no connection to 127.0.0.1" in status_of(pair))
    assert pair.status(repository, one) == ("IN_PROGRESS", "")
    assert re.search(r"\t1 waiting\tlag \d+ s\t0 failed\t", status_of(pair))

    gauges = engine_of(pair.source.data).transact(lambda tx: database_gauges.gauges(tx, system_clock()))
    name = f"{pair.region}/{ACCOUNT}"
    assert gauges["moorage_replication_waiting"] == {name: 1}
    assert gauges["moorage_replication_failed"] == {name: 0}
    assert gauges["moorage_replication_lag_seconds"][name] > 0

    pair.target.start()
    pair.hurry()
    assert pair.wait(repository, one) == ("COMPLETE", "")
    assert pair.tags_there(repository) == {"v1": one.manifest.digest}
    wait_until(lambda: "\t0 waiting\tlag 0 s\t0 failed\tlast arrival " in status_of(pair))


def test_images_wait_for_a_destination_that_is_full(new_pair: NewPair) -> None:
    pair, one = new_pair(), image(seed=2)
    pair.set_destination()
    pair.replicate()
    repository = pair.repository()
    pair.target.restart(extra_args=["--disk-reserve", "100T"])

    pair.push(repository, one, "v1")
    wait_until(lambda: "answered 503" in status_of(pair))
    assert pair.status(repository, one) == ("IN_PROGRESS", "")

    pair.target.restart()
    pair.hurry()
    assert pair.wait(repository, one) == ("COMPLETE", "")


def test_a_source_that_is_killed_sends_no_finished_layer_again(new_pair: NewPair) -> None:
    """The small layer has arrived when the source is killed in the middle of the large one."""
    pair = new_pair()
    small, large = layer(10_000, seed=3), layer(3_000_000, seed=4)
    one = image([small, large], seed=3)
    pair.set_destination("--bytes-per-second", "400000", "--at-once", "1")
    pair.replicate()
    repository = pair.repository()
    pair.push(repository, one, "v1")
    finished = len(one.blobs) - 1
    wait_until(lambda: pair.operations_there()["CompleteLayerUpload"] >= finished)
    pair.source.kill()

    pair.source.start()
    pair.set_destination()
    pair.hurry()
    assert pair.wait(repository, one) == ("COMPLETE", "")
    assert pair.tags_there(repository) == {"v1": one.manifest.digest}
    wait_until(lambda: pair.operations_there()["CompleteLayerUpload"] >= len(one.blobs))
    assert pair.operations_there()["CompleteLayerUpload"] == len(one.blobs)


def test_a_destination_that_is_killed_gets_everything_after_its_restart(new_pair: NewPair) -> None:
    pair, one = new_pair(), image([layer(3_000_000, seed=5)], seed=5)
    pair.set_destination("--bytes-per-second", "400000", "--at-once", "1")
    pair.replicate()
    repository = pair.repository()
    pair.push(repository, one, "v1")
    wait_until(lambda: pair.operations_there()["InitiateLayerUpload"] >= len(one.blobs))
    pair.target.kill()
    wait_until(lambda: "last error" in status_of(pair))

    pair.target.start()
    pair.set_destination()
    pair.hurry()
    assert pair.wait(repository, one) == ("COMPLETE", "")
    assert pair.tags_there(repository) == {"v1": one.manifest.digest}


def test_the_limit_of_speed_is_kept(new_pair: NewPair) -> None:
    pair, one = new_pair(), image([layer(600_000, seed=6)], seed=6)
    pair.set_destination("--bytes-per-second", "300000", "--at-once", "1")
    pair.replicate()
    repository = pair.repository()
    began = time.monotonic()

    pair.push(repository, one, "v1")
    assert pair.wait(repository, one) == ("COMPLETE", "")
    assert time.monotonic() - began > 1.9


def test_the_hourly_comparison_replicates_what_is_missing_or_differs_there(new_pair: NewPair) -> None:
    pair = new_pair()
    old, gone, moved = image(seed=7), image(seed=8), image(seed=9)
    pair.set_destination()
    repository = pair.repository()
    pair.push(repository, old, "before")
    pair.replicate()
    pair.push(repository, gone, "gone")
    pair.push(repository, moved, "moved")
    wanted = {"gone": gone.manifest.digest, "moved": moved.manifest.digest}
    wait_until(lambda: pair.tags_there(repository) == wanted)
    pair.there.batch_delete_image(repositoryName=repository, imageIds=[{"imageTag": "gone"}, {"imageTag": "moved"}])
    other = image(seed=10)
    pair.push_there(repository, other, "moved")

    pair.hurry()
    wait_until(lambda: pair.tags_there(repository) == wanted)


def test_two_servers_that_replicate_to_each_other_make_no_loop(new_pair: NewPair) -> None:
    pair, one = new_pair(), image(seed=11)
    back = pair.reversed()
    for each in (pair, back):
        each.set_destination()
        each.replicate()
    repository = pair.repository()

    pair.push(repository, one, "v1")
    assert pair.wait(repository, one) == ("COMPLETE", "")
    assert back.status(repository, one) == ("NONE", ""), "a replica goes no further"
    other = image(seed=12)
    back.push(repository, other, "v1")
    assert back.wait(repository, other) == ("COMPLETE", "")
    assert pair.status(repository, other) == ("NONE", "")
    for each in (pair, back):
        assert each.tags_there(repository) == {"v1": other.manifest.digest}


def test_a_large_layer_continues_in_the_upload_that_was_begun(new_pair: NewPair) -> None:
    pair, one = new_pair(), image([layer(70_000_000, seed=13)], seed=13)
    pair.set_destination("--bytes-per-second", "40000000", "--at-once", "1")
    pair.replicate()
    repository = pair.repository()
    docker_of(pair.source).push(repository, one, "v1")
    engine = engine_of(pair.source.data)
    wait_until(lambda: engine.transact(lambda tx: tx.one("SELECT 1 FROM replication_upload")))
    (location,) = engine.transact(lambda tx: tx.one("SELECT location FROM replication_upload")) or ("",)
    (upload,) = UPLOAD_ID.findall(location)
    arriving = pair.target.data / "uploads" / upload
    wait_until(lambda: arriving.exists() and arriving.stat().st_size > 10_000_000)
    pair.source.kill()
    there = docker_of(pair.target)
    wait_until(lambda: there.get(location).headers["Range"] != "0-0")

    pair.source.start()
    pair.hurry()
    assert pair.wait(repository, one) == ("COMPLETE", "")
    wait_until(lambda: pair.operations_there()["CompleteLayerUpload"] >= len(one.blobs))
    completed = [line["path"] for line in pair.requests_there() if line["operation"] == "CompleteLayerUpload"]
    assert any(upload in path for path in completed), completed
    assert engine.transact(lambda tx: tx.one("SELECT 1 FROM replication_upload")) is None


def test_streams_take_turns_at_a_destination_that_takes_one_at_once(new_pair: NewPair) -> None:
    pair = new_pair()
    pair.set_destination("--bytes-per-second", "200000", "--at-once", "1")
    pair.replicate()
    pushed = [(pair.repository(), image([layer(100_000, seed=seed)], seed=seed)) for seed in (14, 15, 16)]
    for repository, one in pushed:
        pair.push(repository, one, "v1")

    for repository, one in pushed:
        assert pair.wait(repository, one) == ("COMPLETE", "")


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_everything_arrives_once_although_either_side_is_killed_50_times(new_pair: NewPair) -> None:
    pair, chance = new_pair(), random.Random(1)
    shared = layer(500_000, seed=20)
    images = [image([shared, layer(200_000, seed=seed)], seed=seed) for seed in range(21, 41)]
    pair.set_destination("--bytes-per-second", "2000000", "--at-once", "2")
    pair.replicate()
    repository = pair.repository()
    for number, one in enumerate(images):
        pair.push(repository, one, f"v{number}")
    for _ in range(50):
        victim = chance.choice([pair.source, pair.target])
        time.sleep(chance.random())  # the moment of a kill
        victim.kill()
        victim.start()
        pair.hurry()

    pair.set_destination()
    for one in images:
        pair.hurry()
        assert pair.wait(repository, one) == ("COMPLETE", "")
    assert pair.tags_there(repository) == {f"v{number}": one.manifest.digest for number, one in enumerate(images)}
