"""Jobs: each is taken by one worker, repeated when that worker died, and kept when it failed for good."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from moorage.metadata import gauges as overview
from moorage.metadata import jobs
from moorage.metadata.engines.engine import Engine
from moorage.metadata.jobs import NEVER, Job, JobState

KIND = "lifecycle"


class Queue:
    """The job table of one database, with each statement in its own transaction."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def enqueue(self, key: str, due_at: int, **payload: Any) -> None:
        self.engine.transact(lambda tx: jobs.enqueue(tx, KIND, key, payload, due_at))

    def claim(self, now: int, *, lease: int = 60, limit: int = 10) -> list[Job]:
        return self.engine.transact(lambda tx: jobs.claim(tx, [KIND, "other"], now, now + lease, limit))

    def take(self, now: int, *, lease: int = 60) -> Job:
        (job,) = self.claim(now, lease=lease)
        return job

    def page(self, after: tuple[str, str] = ("", ""), *, dead_only: bool = False) -> list[JobState]:
        """Two jobs."""
        return self.engine.transact(lambda tx: jobs.page(tx, after, 2, dead_only=dead_only))

    def next_due(self) -> int:
        return self.engine.transact(lambda tx: jobs.next_due(tx, [KIND, "other"]))


@pytest.fixture
def queue(engine: Engine) -> Queue:
    return Queue(engine)


def keys(claimed: list[Job]) -> list[str]:
    return [job.key for job in claimed]


def test_due_jobs_are_taken_oldest_first_by_one_worker_only(queue: Queue) -> None:
    for key, due_at in (("c", 30), ("a", 10), ("b", 20)):
        queue.enqueue(key, due_at)

    assert queue.next_due() == 10
    assert queue.claim(9) == []
    assert keys(queue.claim(20)) == ["a", "b"]
    assert queue.claim(29) == []
    assert keys(queue.claim(30)) == ["c"]


def test_a_worker_takes_no_more_jobs_than_it_has_room_for(queue: Queue) -> None:
    for number in range(5):
        queue.enqueue(str(number), number)

    assert keys(queue.claim(10, limit=2)) == ["0", "1"]
    assert keys(queue.claim(10, limit=2)) == ["2", "3"]


def test_a_job_that_is_requested_twice_is_one_job_with_the_newer_payload_and_the_earlier_time(queue: Queue) -> None:
    queue.enqueue("a", 20, number=1)
    queue.enqueue("a", 10, number=2)
    queue.enqueue("a", 30, number=3)

    job = queue.take(10)

    assert job.payload == {"number": 3}
    assert queue.claim(40) == []


def test_a_finished_job_is_deleted(queue: Queue) -> None:
    queue.enqueue("a", 10)
    job = queue.take(10)

    queue.engine.transact(lambda tx: jobs.finish(tx, job))

    assert queue.next_due() == NEVER


def test_a_job_that_is_requested_while_it_runs_runs_again(queue: Queue) -> None:
    queue.enqueue("a", 10, number=1)
    job = queue.take(10)
    queue.enqueue("a", 15, number=2)
    assert queue.claim(20) == []

    queue.engine.transact(lambda tx: jobs.finish(tx, job))

    again = queue.take(15)
    assert (again.payload, again.attempts) == ({"number": 2}, 1)


def test_a_job_of_a_dead_worker_is_taken_by_another_and_the_late_worker_changes_nothing(queue: Queue) -> None:
    queue.enqueue("a", 10)
    late = queue.take(10, lease=60)
    assert queue.claim(69) == []

    job = queue.take(70)
    queue.engine.transact(lambda tx: jobs.finish(tx, late))
    queue.engine.transact(lambda tx: jobs.retry(tx, late, "late", 0))
    queue.engine.transact(lambda tx: jobs.bury(tx, late, "late"))

    assert job.attempts == 2
    assert queue.engine.transact(lambda tx: jobs.extend(tx, late, 1000)) is False
    assert queue.engine.transact(lambda tx: jobs.extend(tx, job, 1000)) is True
    assert queue.claim(999) == []
    assert keys(queue.claim(1000)) == ["a"]


def test_a_failed_job_waits_and_counts_its_attempts(queue: Queue) -> None:
    queue.enqueue("a", 10)
    for attempt in range(1, 4):
        job = queue.take(10 * attempt)
        assert job.attempts == attempt
        queue.engine.transact(partial(jobs.retry, job=job, error="no route", due_at=10 * attempt + 10))


def test_a_failed_job_is_not_retried_sooner_because_it_is_requested_again(queue: Queue) -> None:
    queue.enqueue("a", 10)
    job = queue.take(10)
    queue.engine.transact(lambda tx: jobs.retry(tx, job, "no route", 100))

    queue.enqueue("a", 20, number=2)

    assert queue.claim(99) == []
    assert queue.take(100).payload == {"number": 2}


def test_a_returned_job_counts_no_attempt(queue: Queue) -> None:
    queue.enqueue("a", 10)
    job = queue.take(10)

    queue.engine.transact(lambda tx: jobs.release(tx, job, 11))

    assert queue.take(11).attempts == 1


def test_a_dead_job_is_kept_with_its_reason_until_it_is_revived(queue: Queue) -> None:
    queue.enqueue("a", 10, number=1)
    job = queue.take(10)

    queue.engine.transact(lambda tx: jobs.bury(tx, job, "no route"))

    assert queue.next_due() == NEVER
    assert queue.claim(NEVER) == []
    assert queue.engine.transact(lambda tx: jobs.find(tx, KIND, "a")) == JobState(
        KIND, "a", is_dead=True, is_leased=False, due_at=70, attempts=1, last_error="no route"
    )
    queue.engine.transact(lambda tx: jobs.revive(tx, KIND, "a", 20))
    again = queue.take(20)
    assert (again.attempts, again.payload) == (1, {"number": 1})


def test_a_dead_job_that_is_requested_again_starts_anew(queue: Queue) -> None:
    queue.enqueue("a", 10)
    job = queue.take(10)
    queue.engine.transact(lambda tx: jobs.bury(tx, job, "no route"))

    queue.enqueue("a", 500)

    assert queue.claim(499) == []
    assert queue.take(500).attempts == 1


def test_a_job_that_was_requested_meanwhile_does_not_become_dead(queue: Queue) -> None:
    queue.enqueue("a", 10)
    job = queue.take(10)
    queue.enqueue("a", 20)

    queue.engine.transact(lambda tx: jobs.bury(tx, job, "no route"))

    assert queue.take(20).attempts == 1


def test_a_repeated_job_keeps_its_earlier_time(queue: Queue) -> None:
    queue.engine.transact(lambda tx: jobs.ensure(tx, KIND, "", 10))
    queue.engine.transact(lambda tx: jobs.ensure(tx, KIND, "", 5))
    job = queue.take(10)
    queue.enqueue("", 30)

    queue.engine.transact(lambda tx: jobs.finish(tx, job, 1000))

    assert queue.next_due() == 30
    job = queue.take(30)
    queue.engine.transact(lambda tx: jobs.finish(tx, job, 1000))
    assert queue.next_due() == 1000


def test_a_recurring_job_shows_its_last_error_until_it_succeeds(queue: Queue) -> None:
    def failing() -> float:
        return queue.engine.transact(lambda tx: overview.gauges(tx, 0))["moorage_jobs_failing"][KIND]

    queue.engine.transact(lambda tx: jobs.ensure(tx, KIND, "", 10))
    job = queue.take(10)
    queue.engine.transact(lambda tx: jobs.finish(tx, job, 20, "no route"))
    found = queue.engine.transact(lambda tx: jobs.find(tx, KIND, ""))
    assert found is not None
    assert (found.last_error, found.attempts, found.is_dead, failing()) == ("no route", 0, False, 1)

    job = queue.take(20)
    queue.engine.transact(lambda tx: jobs.finish(tx, job, 30))
    found = queue.engine.transact(lambda tx: jobs.find(tx, KIND, ""))
    assert found is not None
    assert (found.last_error, failing()) == (None, 0)


def test_a_job_is_reported_as_dead_only_by_the_worker_process_that_buried_it(queue: Queue) -> None:
    queue.enqueue("a", 10)
    late = queue.take(10)
    job = queue.take(70)

    assert not queue.engine.transact(lambda tx: jobs.bury(tx, late, "late"))
    assert queue.engine.transact(lambda tx: jobs.bury(tx, job, "no route"))
    assert not queue.engine.transact(lambda tx: jobs.bury(tx, job, "again"))


def test_jobs_are_listed_in_pages_by_kind_and_key(queue: Queue) -> None:
    for key in ("c", "a", "b"):
        queue.enqueue(key, 10)
    queue.engine.transact(lambda tx: jobs.enqueue(tx, "other", "a", {}, 10))
    queue.engine.transact(lambda tx: jobs.bury(tx, jobs.claim(tx, ["other"], 10, 70, 1)[0], "no route"))

    first = queue.page()
    second = queue.page((first[-1].kind, first[-1].key))

    assert [(job.kind, job.key) for job in first + second] == [(KIND, "a"), (KIND, "b"), (KIND, "c"), ("other", "a")]
    assert [job.key for job in queue.page(dead_only=True)] == ["a"]
    assert queue.engine.transact(lambda tx: jobs.dead_keys(tx, "other")) == ["a"]


def test_a_job_that_waits_can_be_made_due_and_one_that_runs_cannot(queue: Queue) -> None:
    queue.enqueue("a", 500)
    queue.engine.transact(lambda tx: jobs.hurry(tx, KIND, "a", 20))
    queue.take(20, lease=60)
    queue.engine.transact(lambda tx: jobs.hurry(tx, KIND, "a", 30))

    assert queue.claim(79) == []


@pytest.mark.parametrize("is_asked_for_by_others", [False, True])
def test_a_running_job_that_was_hurried_runs_again_at_once_although_it_fails(
    queue: Queue, is_asked_for_by_others: bool
) -> None:
    """What an operator has put right may be read only by the next attempt."""
    queue.enqueue("a", 10)
    job = queue.take(10)
    queue.engine.transact(lambda tx: jobs.hurry(tx, KIND, "a", 20))
    if is_asked_for_by_others:
        queue.enqueue("a", 25)

    queue.engine.transact(lambda tx: jobs.retry(tx, job, "no route", 5000))
    again = queue.take(30)
    queue.engine.transact(lambda tx: jobs.retry(tx, again, "no route", 5000))

    assert queue.claim(4999) == []


def test_a_job_that_is_deleted_while_it_runs_stays_deleted(queue: Queue) -> None:
    queue.enqueue("a", 10)
    job = queue.take(10)

    queue.engine.transact(lambda tx: jobs.delete(tx, KIND, "a"))
    queue.engine.transact(lambda tx: jobs.retry(tx, job, "late", 20))

    assert queue.next_due() == NEVER


def test_a_job_that_was_put_off_by_a_clock_ahead_is_due_in_time(queue: Queue) -> None:
    for key, due_at in (("soon", 20), ("far", 10**9), ("running", 0)):
        queue.enqueue(key, due_at)
    running = queue.take(0, lease=10**9)
    queue.enqueue("running", 10**9)

    queue.engine.transact(lambda tx: jobs.limit_waiting(tx, KIND, latest=100, latest_lease=60))

    assert keys(queue.claim(59)) == ["soon"]
    assert keys(queue.claim(60)) == ["running"]
    assert keys(queue.claim(100)) == ["far"]
    assert running.key == "running"
