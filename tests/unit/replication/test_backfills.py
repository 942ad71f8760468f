"""Backfills step by step, without a server: limits, stops, and what a killed job left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest

from moorage.core.replication import backfill_jobs, backfills, configuration, outcomes
from moorage.core.replication.backfill_jobs import BackfillJobs
from moorage.core.replication.destinations import Destinations
from moorage.domain.errors import InvalidParameter, LimitExceeded
from moorage.domain.names import Registry, RepositoryName
from moorage.domain.replication.errors import ReplicationBackfillInProgress, ReplicationBackfillInvalidStatus
from moorage.metadata.database import Database, Transaction
from moorage.metadata.identity import accounts
from moorage.metadata.jobs import Job, JobFailed
from moorage.metadata.registry import images, new_images, repositories
from moorage.metadata.registry.images import Image
from moorage.metadata.registry.repositories import RepositorySettings
from moorage.metadata.replication import backfills as rows
from moorage.metadata.replication.backfills import Backfill
from moorage.metadata.replication.entries import Entry, Stream
from tests.support.databases import engine_of
from tests.support.limits import LIMITS

SOURCE = Registry("000000000000", "us-east-1")
T = TypeVar("T")


def destination(number: int = 0) -> Registry:
    return Registry("000000000000", f"eu-west-{number}")


class Recorder:
    """A destination that completes its entries, and fails after `fails_after` of them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.given: list[Entry] = []
        self.fails_after = 10_000

    async def replicate(self, stream: Stream, batch: Sequence[Entry]) -> None:
        if len(self.given) >= self.fails_after:
            raise JobFailed("down")
        self.given += batch
        await self._database.write(partial(outcomes.complete, done=batch))


class Bench:
    """A database with a configured registry, and the jobs of backfills with a destination of the test."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.target = Recorder(database)
        self.jobs = BackfillJobs(database, Destinations(LIMITS, self.target, self.target), lambda: 5)

    def write(self, work: Callable[[Transaction], T]) -> T:
        return asyncio.run(self.database.write(work))

    def read(self, work: Callable[[Transaction], T]) -> T:
        return self.database.read_blocking(work)

    def start(self, number: int = 0) -> Backfill:
        return self.write(lambda tx: backfills.start(tx, SOURCE, destination(number), 1))

    def run(self, backfill: Backfill) -> Backfill:
        asyncio.run(self.jobs.run(Job(backfills.JOB, backfill.id, {}, 1, "lease")))
        return self.find(backfill)

    def find(self, backfill: Backfill) -> Backfill:
        return self.read(lambda tx: backfills.get(tx, SOURCE, backfill.id))

    def add_images(self, name: str, number: int, tags: int = 1) -> None:
        def add(tx: Transaction) -> None:
            repository = repositories.insert(tx, SOURCE, RepositoryName(name), RepositorySettings(), 1)
            assert repository is not None
            for one in range(number):
                digest = f"sha256:{one:064x}"
                image = Image(0, repository.id, digest, "m", None, None, 1, 1, 1)
                image_id = new_images.insert(tx, image, b"{}").id
                for tag in range(tags):
                    images.add_tag(tx, repository.id, f"v{one}-{tag}", image_id, 1)

        self.write(add)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    rules: list[Any] = [
        {"destinations": [{"region": destination(n).region, "registryId": SOURCE.account} for n in range(12)]}
    ]
    database = engine_of(tmp_path).open()
    database.start()
    try:
        made = Bench(database)
        made.write(lambda tx: accounts.insert_account(tx, SOURCE.account, 1))
        made.write(lambda tx: configuration.put(tx, SOURCE, rules, 1))
        yield made
    finally:
        database.close()


def test_each_image_and_tag_is_one_replication(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill_jobs, "_REPOSITORIES_READ", 2)
    monkeypatch.setattr(backfill_jobs, "_IMAGES_READ", 3)
    for name in ("a", "b", "b/c", "d"):
        bench.add_images(name, 7, tags=2)
    bench.add_images("e", 1, tags=0)

    done = bench.run(bench.start())

    assert (done.status, done.total, done.completed, done.failed) == ("COMPLETE", 57, 57, 0)
    assert len({(entry.digest, entry.tag) for entry in bench.target.given}) == 15
    assert len(bench.target.given) == 57


def test_a_job_that_was_killed_while_it_prepared_continues_there(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill_jobs, "_IMAGES_READ", 3)
    for name in ("a", "b"):
        bench.add_images(name, 7)
    backfill = bench.start()
    add, calls = rows.add_results, []

    def dies(*arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == 5:
            raise KeyboardInterrupt
        add(*arguments)

    monkeypatch.setattr(rows, "add_results", dies)
    with pytest.raises(KeyboardInterrupt):
        bench.run(backfill)
    monkeypatch.setattr(rows, "add_results", add)

    done = bench.run(backfill)

    assert (done.status, done.total, done.completed) == ("COMPLETE", 14, 14)


def test_a_destination_that_is_down_gets_the_rest_later(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill_jobs, "_SLICE", 4)
    bench.add_images("a", 10)
    backfill = bench.start()
    bench.target.fails_after = 4

    with pytest.raises(JobFailed):
        bench.run(backfill)
    halfway = bench.find(backfill)
    bench.target.fails_after = 10_000
    done = bench.run(backfill)

    assert (halfway.status, halfway.total, halfway.completed) == ("IN_PROGRESS", 10, 4)
    assert (done.status, done.completed) == ("COMPLETE", 10)
    assert len(bench.target.given) == len(set(bench.target.given)) == 10


def test_a_backfill_whose_job_died_has_failed(bench: Bench) -> None:
    backfill = bench.start()
    job = Job(backfills.JOB, backfill.id, {}, 34, "lease")

    bench.write(lambda tx: bench.jobs.give_up(tx, job, "down"))

    assert (bench.find(backfill).status, bench.find(backfill).failure_code) == ("FAILED", "DestinationUnavailable")


def test_a_stopped_backfill_copies_what_it_has_begun_and_no_more(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill_jobs, "_SLICE", 4)
    bench.add_images("a", 10)
    backfill = bench.start()
    stopped: list[str] = []

    async def replicate(stream: Stream, batch: Sequence[Entry]) -> None:
        now_stopped = await bench.database.write(lambda tx: backfills.stop(tx, SOURCE, backfill.id, 2))
        stopped.append(now_stopped.status)
        await bench.database.write(partial(outcomes.complete, done=batch))

    monkeypatch.setattr(bench.target, "replicate", replicate)

    done = bench.run(backfill)

    assert stopped == ["STOPPING"]
    assert (done.status, done.completed, done.ended_at) == ("STOPPED", 4, 5)
    with pytest.raises(ReplicationBackfillInvalidStatus, match="its status is STOPPED"):
        bench.write(lambda tx: backfills.stop(tx, SOURCE, backfill.id, 3))


def test_a_backfill_that_is_stopped_before_it_is_prepared_has_no_progress(bench: Bench) -> None:
    bench.add_images("a", 3)
    backfill = bench.start()
    bench.write(lambda tx: backfills.stop(tx, SOURCE, backfill.id, 2))

    done = bench.run(backfill)

    assert (done.status, done.is_prepared, bench.target.given) == ("STOPPED", False, [])


def test_a_destination_that_is_no_longer_configured_ends_a_backfill(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill_jobs, "_SLICE", 2)
    bench.add_images("a", 3)
    backfill = bench.start()

    async def replicate(_stream: Stream, batch: Sequence[Entry]) -> None:
        await bench.database.write(lambda tx: configuration.put(tx, SOURCE, [], 2))
        await bench.database.write(partial(outcomes.complete, done=batch))

    monkeypatch.setattr(bench.target, "replicate", replicate)

    done = bench.run(backfill)

    assert (done.status, done.failure_code, done.completed) == ("FAILED", "DestinationNotConfigured", 2)
    with pytest.raises(InvalidParameter):
        bench.start(1)


def test_one_for_each_region_and_ten_in_all(bench: Bench) -> None:
    for number in range(9):
        bench.start(number)
    with pytest.raises(ReplicationBackfillInProgress, match="destination Region 'eu-west-0'"):
        bench.start(0)
    last = bench.start(9)
    with pytest.raises(LimitExceeded, match="10 replication backfills in progress"):
        bench.start(10)

    bench.run(last)

    assert bench.start(10).status == "PREPARING"


def test_backfills_are_kept_for_90_days(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill_jobs, "_REMOVED", 4)
    bench.add_images("a", 10)
    old = bench.run(bench.start())
    day = 86_400_000_000
    forget = Job("forget-backfills", "", {}, 1, "lease")

    for days, expected in ((89, 1), (91, 0)):
        monkeypatch.setattr(bench.jobs, "_now", partial(int, days * day))
        asyncio.run(bench.jobs.forget(forget))
        found = bench.read(lambda tx: rows.page(tx, SOURCE, (2**62, ""), 10))
        assert [each.id for each in found] == [old.id][:expected]
    assert bench.read(lambda tx: tx.one("SELECT count(*) FROM replication_backfill_result")) == (0,)
