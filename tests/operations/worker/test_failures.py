"""Jobs that fail: how often they are attempted, how they end, and what is recorded of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from moorage.core.clock import system_clock
from moorage.domain.units import SECOND
from moorage.metadata import jobs
from moorage.metadata.database import Transaction
from moorage.metadata.jobs import Job, JobFailed, JobHopeless, JobState
from moorage.worker import JobKind
from tests.operations.worker.workers import KIND, bench, run, until


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


def test_a_hopeless_job_is_dead_after_its_first_attempt(tmp_path: Path) -> None:
    async def do(_: Job) -> None:
        raise JobHopeless("the policy cannot be read")

    async def test() -> None:
        async with bench(tmp_path, JobKind(do)) as started:
            await started.request("a")
            await until(lambda: started.waiting() == 0)
            (dead,) = started.dead()
            assert (dead.attempts, dead.last_error) == (1, "the policy cannot be read")

    run(test)


def test_the_end_of_a_job_that_died_is_recorded_together_with_it(tmp_path: Path) -> None:
    async def do(_: Job) -> None:
        raise JobFailed("no route to host")

    def give_up(tx: Transaction, job: Job, error: str) -> None:
        jobs.enqueue(tx, "ended", f"{job.key}: {error}", {}, jobs.NEVER)

    async def test() -> None:
        async with bench(tmp_path, JobKind(do, attempts=2, first_delay=1, give_up=give_up)) as started:
            await started.request("a")
            await until(started.dead)
            ended = started.database.read_blocking(lambda tx: tx.all("SELECT key FROM job WHERE kind = 'ended'"))
            assert [row[0] for row in ended] == ["a: no route to host"]

    run(test)


def test_a_job_that_was_requested_again_in_its_last_attempt_has_not_ended(tmp_path: Path) -> None:
    ended: list[str] = []
    attempts: list[int] = []

    async def test() -> None:
        async with bench(tmp_path) as started:

            async def do(job: Job) -> None:
                attempts.append(job.attempts)
                if len(attempts) == 1:
                    await started.request("a")
                    raise JobFailed("no route to host")

            worker = started.worker(JobKind(do, attempts=1, give_up=lambda _tx, job, _error: ended.append(job.key)))
            worker.start()
            await started.request("a")
            await until(lambda: started.waiting() == 0)
            await worker.stop()

    run(test)

    assert (attempts, ended) == ([1, 1], [])


def test_a_recurring_job_keeps_its_last_error_until_it_succeeds(tmp_path: Path) -> None:
    succeed = asyncio.Event()

    async def do(_: Job) -> None:
        if not succeed.is_set():
            raise JobFailed("the store does not answer")

    async def test() -> None:
        async with bench(tmp_path) as started:

            def state() -> JobState:
                (found,) = started.database.read_blocking(lambda tx: jobs.page(tx, ("", ""), 10, dead_only=False))
                return found

            worker = started.worker(JobKind(do, every=SECOND // 20, attempts=2, first_delay=SECOND // 100))
            worker.start()
            await until(lambda: len(started.events()) > 4)
            assert state().last_error == "the store does not answer"
            succeed.set()
            await until(lambda: state().last_error is None)
            await worker.stop()

    run(test)


def test_a_recurring_job_that_ended_the_process_every_time_waits_for_its_next_run(tmp_path: Path) -> None:
    begun: list[str] = []

    async def do(job: Job) -> None:
        begun.append(job.key)

    async def test() -> None:
        async with bench(tmp_path) as started:
            await started.request("")
            for _ in range(2):
                await started.database.write(lambda tx: jobs.claim(tx, [KIND], system_clock(), system_clock(), 1))
            worker = started.worker(JobKind(do, every=3600 * SECOND, attempts=2))
            worker.start()
            await until(started.events)
            await worker.stop()
            due = started.database.read_blocking(lambda tx: jobs.next_due(tx, [KIND]))
            assert due - system_clock() > 3500 * SECOND

    run(test)

    assert begun == []


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


def test_the_wait_between_attempts_grows_up_to_an_hour() -> None:
    async def do(_: Job) -> None: ...

    delays = [JobKind(do).delay(attempts) // SECOND for attempts in range(1, 13)]

    assert delays[:4] == [5, 10, 20, 40]
    assert delays[-1] == 3600
    assert sum(delays) > 2 * 3600
