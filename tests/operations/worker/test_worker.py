"""The worker's loop on a real database: which jobs it runs, what happens after a failure, and how it stops."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from moorage.core.clock import system_clock
from moorage.domain.units import SECOND
from moorage.metadata import jobs
from moorage.metadata.jobs import Job, JobFailed, JobState
from moorage.telemetry import Log
from moorage.worker import JobKind, Worker
from tests.support.databases import engine_of

KIND = "work"


class Bench:
    """A database with any number of workers. `events` has what they logged."""

    def __init__(self, folder: Path) -> None:
        self.database = engine_of(folder).open()
        self._log_file = folder / "log"
        self._descriptor = os.open(self._log_file, os.O_WRONLY | os.O_CREAT)

    def worker(self, job_kind: JobKind) -> Worker:
        log = Log(descriptor=self._descriptor)
        return Worker(self.database, {KIND: job_kind}, system_clock, log, poll_seconds=0.01)

    async def request(self, *keys: str) -> None:
        for key in keys:
            await self.database.write(partial(jobs.enqueue, kind=KIND, key=key, payload={}, due_at=system_clock()))

    def waiting(self) -> int:
        return self.database.read_blocking(lambda tx: len(tx.all("SELECT 1 FROM job WHERE state = 'waiting'")))

    def dead(self) -> list[JobState]:
        return self.database.read_blocking(lambda tx: jobs.page(tx, ("", ""), 10, dead_only=True))

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._log_file.read_text().splitlines()]

    def close(self) -> None:
        self.database.close()
        os.close(self._descriptor)


@asynccontextmanager
async def bench(folder: Path, *job_kinds: JobKind) -> AsyncIterator[Bench]:
    started = Bench(folder)
    started.database.start()
    workers = [started.worker(job_kind) for job_kind in job_kinds]
    for worker in workers:
        worker.start()
    try:
        yield started
    finally:
        for worker in workers:
            await worker.stop()
        started.close()


async def until(is_so: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not is_so():  # noqa: ASYNC110 - what is waited for is in the database
            await asyncio.sleep(0.005)


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await test()

    asyncio.run(main())


def test_two_workers_run_each_job_once(tmp_path: Path) -> None:
    done: list[str] = []

    async def do(job: Job) -> None:
        await asyncio.sleep(0)
        done.append(job.key)

    async def test() -> None:
        async with bench(tmp_path, JobKind(do), JobKind(do)) as started:
            await started.request(*(str(number) for number in range(50)))
            await until(lambda: started.waiting() == 0)

    run(test)

    assert sorted(done, key=int) == [str(number) for number in range(50)]


def test_a_slow_kind_does_not_delay_another(tmp_path: Path) -> None:
    busy: list[str] = []
    most: list[int] = []
    done: list[str] = []

    async def slow(job: Job) -> None:
        busy.append(job.key)
        most.append(len(busy))
        await until(lambda: done)
        busy.remove(job.key)

    async def quick(job: Job) -> None:
        done.append(job.key)

    async def test() -> None:
        async with bench(tmp_path) as started:
            job_kinds = {KIND: JobKind(slow, at_once=2), "quick": JobKind(quick)}
            worker = Worker(started.database, job_kinds, system_clock, Log(), poll_seconds=0.01)
            worker.start()
            await started.request("a", "b", "c")
            await until(lambda: len(busy) == 2)
            await started.database.write(partial(jobs.enqueue, kind="quick", key="q", payload={}, due_at=1))
            await until(lambda: started.waiting() == 0)
            await worker.stop()

    run(test)

    assert max(most) == 2


def test_a_failed_job_is_logged_at_each_attempt_and_retried(tmp_path: Path) -> None:
    tries: list[int] = []

    async def do(job: Job) -> None:
        tries.append(job.attempts)
        if job.attempts == 1:
            raise ValueError("a fault of the program")
        if job.attempts == 2:
            raise JobFailed("no route to host")

    async def test() -> None:
        async with bench(tmp_path, JobKind(do, first_delay=1)) as started:
            await started.request("a")
            await until(lambda: started.waiting() == 0)
            fault, failure = started.events()
            assert "ValueError: a fault of the program" in fault["trace"]
            assert (failure["event"], failure["kind"], failure["key"], failure["attempt"], failure["reason"]) == (
                ("job-failed", KIND, "a", 2, "no route to host")
            )

    run(test)

    assert tries == [1, 2, 3]


def test_a_job_becomes_dead_after_its_last_attempt(tmp_path: Path) -> None:
    async def do(_: Job) -> None:
        raise JobFailed("no route to host")

    async def test() -> None:
        async with bench(tmp_path, JobKind(do, attempts=3, first_delay=1)) as started:
            await started.request("a")
            await until(lambda: started.waiting() == 0)
            (dead,) = started.dead()
            assert (dead.key, dead.attempts, dead.last_error) == ("a", 3, "no route to host")

    run(test)


def test_a_job_that_ended_the_process_every_time_is_not_started_again(tmp_path: Path) -> None:
    begun: list[str] = []

    async def do(job: Job) -> None:
        begun.append(job.key)

    async def test() -> None:
        async with bench(tmp_path) as started:
            await started.request("a")
            for _ in range(2):
                await started.database.write(lambda tx: jobs.claim(tx, [KIND], system_clock(), system_clock(), 1))
            worker = started.worker(JobKind(do, attempts=2))
            worker.start()
            await until(lambda: started.waiting() == 0)
            await worker.stop()
            assert [dead.key for dead in started.dead()] == ["a"]

    run(test)

    assert begun == []


def test_a_recurring_job_runs_again_even_after_a_failure(tmp_path: Path) -> None:
    times: list[int] = []

    async def do(job: Job) -> None:
        times.append(job.attempts)
        if len(times) < 4:
            raise JobFailed("not yet")

    async def test() -> None:
        async with bench(tmp_path, JobKind(do, every=1, attempts=2, first_delay=1)) as started:
            await until(lambda: len(times) > 6)
            assert started.waiting() == 1

    run(test)

    assert times[:5] == [1, 2, 1, 2, 1]


def test_a_stopping_worker_returns_the_jobs_that_it_cannot_finish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moorage.worker._STOP_SECONDS", 0.05)
    begun: list[str] = []

    async def do(job: Job) -> None:
        begun.append(job.key)
        await asyncio.sleep(3600)

    async def test() -> None:
        async with bench(tmp_path) as started:
            worker = started.worker(JobKind(do))
            worker.start()
            await started.request("a")
            await until(lambda: begun)
            await worker.stop()
            due = started.database.read_blocking(lambda tx: jobs.next_due(tx, [KIND]))
            assert due <= system_clock()

    run(test)


def test_a_database_that_rejects_changes_is_logged_once_while_it_lasts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moorage.worker._PAUSE_SECONDS", 0.01)
    done: list[str] = []

    async def do(job: Job) -> None:
        done.append(job.key)

    async def test() -> None:
        async with bench(tmp_path) as started:
            engine = engine_of(tmp_path)
            await started.request("a")
            engine.seal(lambda _: None)
            worker = started.worker(JobKind(do))
            worker.start()
            await until(started.events)
            await asyncio.sleep(0.2)
            engine.unseal(lambda _: None)
            await until(lambda: done)
            await worker.stop()
            assert [event["event"] for event in started.events()] == ["worker-fault"]
            assert "accepts no changes" in started.events()[0]["reason"]

    run(test)


def test_a_job_is_abandoned_when_its_lease_was_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moorage.worker._EXTEND_SECONDS", 0.02)
    ended = asyncio.Event()

    async def do(_: Job) -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()

    async def test() -> None:
        async with bench(tmp_path, JobKind(do)) as started:
            await started.request("a")
            await asyncio.sleep(0.1)
            assert not ended.is_set()
            await started.database.write(
                lambda tx: tx.run("UPDATE job SET lease = 'another', due_at = :at", at=jobs.NEVER)
            )
            await asyncio.wait_for(ended.wait(), 10)

    run(test)


def test_the_wait_between_attempts_grows_up_to_an_hour() -> None:
    async def do(_: Job) -> None: ...

    delays = [JobKind(do).delay(attempts) // SECOND for attempts in range(1, 13)]

    assert delays[:4] == [5, 10, 20, 40]
    assert delays[-1] == 3600
    assert sum(delays) > 2 * 3600


def test_a_recurring_job_runs_in_time_after_the_clock_was_ahead_once(tmp_path: Path) -> None:
    """The clock was years ahead when the job last ran. A worker process that starts limits the wait."""
    done: list[str] = []

    async def do(job: Job) -> None:
        done.append(job.key)

    async def test() -> None:
        async with bench(tmp_path) as started:
            far = system_clock() + 10**9 * SECOND
            await started.database.write(partial(jobs.enqueue, kind=KIND, key="", payload={}, due_at=far))
            worker = started.worker(JobKind(do, every=SECOND // 10))
            worker.start()
            await until(lambda: done)
            await worker.stop()

    run(test)
