"""The worker's loop on a real database: which jobs it runs, and how it stops. test_failures.py has jobs that fail."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import pytest

from moorage.core.clock import system_clock
from moorage.domain.units import SECOND
from moorage.metadata import jobs
from moorage.metadata.jobs import Job
from moorage.telemetry import Log
from moorage.worker import JobKind, Worker
from tests.operations.worker.workers import KIND, bench, run, until
from tests.support.databases import engine_of
from tests.support.waiting import PATIENCE_SECONDS


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
            await asyncio.wait_for(ended.wait(), PATIENCE_SECONDS)

    run(test)


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
