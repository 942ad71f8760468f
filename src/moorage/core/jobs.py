"""Jobs as an operator manages them: list them, retry dead and waiting ones, drop those that must not run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from moorage.metadata import jobs
from moorage.metadata.database import Transaction
from moorage.metadata.jobs import JobState

_JOBS_PER_PAGE: Final = 1000

_PAGES_AT_ONCE: Final = 5

WAITING: Final = "waiting"
RUNNING: Final = "running"
DEAD: Final = "dead"

Run = Callable[[Callable[[Transaction], list[JobState]]], list[JobState]]
"""Runs a function in a transaction."""


class JobError(Exception):
    """An operator named a job for which the command is not possible. The text is for the operator."""


class JobUnknown(JobError):
    """There is no such job."""


def every_job(run: Run, *, dead_only: bool) -> Iterator[JobState]:
    """All jobs in the order of kind and key, read in pages of one transaction each."""
    after = ("", "")
    while found := run(lambda tx: jobs.page(tx, after, _JOBS_PER_PAGE, dead_only=dead_only)):  # noqa: B023 - called at once
        yield from found
        after = (found[-1].kind, found[-1].key)


def page_in_state(
    tx: Transaction, after: tuple[str, str], limit: int, state: str | None, now: int
) -> tuple[list[JobState], tuple[str, str] | None]:
    """At most `limit` jobs in a state, and the position to continue from, if there may be more.

    It reads a bounded number of jobs, so there may be more even if it returns none.
    """
    found: list[JobState] = []
    for _ in range(_PAGES_AT_ONCE):
        read = jobs.page(tx, after, _JOBS_PER_PAGE if state else limit + 1, dead_only=False)
        found += [job for job in read if state in (None, state_of(job, now))]
        if len(found) > limit:
            return found[:limit], (found[limit - 1].kind, found[limit - 1].key)
        if len(read) < _JOBS_PER_PAGE:
            return found, None
        after = (read[-1].kind, read[-1].key)
    return found, after


def state_of(job: JobState, now: int) -> str:
    """WAITING, RUNNING or DEAD. After the end of its lease, a job waits for the next worker process."""
    if job.is_dead:
        return DEAD
    return RUNNING if job.is_leased and job.due_at > now else WAITING


def retry(tx: Transaction, kind: str, key: str, now: int) -> None:
    """Let a dead job wait as a new one, or make a waiting job due now. Raises JobError, JobUnknown."""
    if _find(tx, kind, key, now).is_dead:
        jobs.revive(tx, kind, key, now)
    else:
        jobs.hurry(tx, kind, key, now)


def retry_dead(tx: Transaction, kind: str, now: int) -> int:
    """`retry` of all dead jobs of a kind; returns how many they are."""
    keys = jobs.dead_keys(tx, kind)
    for key in keys:
        jobs.revive(tx, kind, key, now)
    return len(keys)


def drop(tx: Transaction, kind: str, key: str, now: int) -> None:
    """Remove a job that is dead or waiting. Raises JobError, also for a recurring job, which would never run again."""
    if key == jobs.RECURRING:
        raise JobError(f"The job {kind!r} is recurring. It cannot be dropped.")
    _find(tx, kind, key, now)
    jobs.delete(tx, kind, key)


def drop_dead(tx: Transaction, kind: str) -> int:
    """Remove all dead jobs of a kind; returns how many they were."""
    keys = jobs.dead_keys(tx, kind)
    for key in keys:
        jobs.delete(tx, kind, key)
    return len(keys)


def _find(tx: Transaction, kind: str, key: str, now: int) -> JobState:
    """A job that is not running. Raises JobError."""
    found = jobs.find(tx, kind, key)
    if found is None:
        raise JobUnknown(f"There is no job {kind[:200]!r} with the key {key[:200]!r}. See `moorage jobs list`.")
    if state_of(found, now) == RUNNING:
        raise JobError(f"The job {kind!r} with the key {key!r} is running. Wait until it has ended.")
    return found
