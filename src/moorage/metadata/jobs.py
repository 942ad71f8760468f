"""Rows of jobs: work that one transaction leaves for later, taken under a lease by one worker at a time.

A worker that dies does not give its job back; the lease ends, and another worker does it again. So a job is done at
least once, and whatever does it must bear being done twice.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from moorage.metadata.database import Transaction

NEVER: Final = 2**62
"""A time that does not come."""


class JobFailed(Exception):
    """A job could not be done for a reason that is no fault of the program; the text says which."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job that this worker has. `attempts` counts this one, too."""

    kind: str
    key: str
    payload: Mapping[str, Any]
    attempts: int
    lease: str


@dataclass(frozen=True, slots=True)
class DeadJob:
    """A job that was given up, and why."""

    kind: str
    key: str
    payload: Mapping[str, Any]
    attempts: int
    last_error: str


def enqueue(tx: Transaction, kind: str, key: str, payload: Mapping[str, Any], due_at: int) -> None:
    """Ask for a job in the caller's transaction.

    One that waits already is only ever moved forward, and gets the newer payload; one that failed keeps the time of its
    next try. One that is being done is done again afterwards. One that is dead waits again, as if it were new.
    """
    tx.run(
        "INSERT INTO job (kind, key, payload, state, due_at, attempts)"
        " VALUES (:kind, :key, :payload, 'waiting', :due, 0)"
        " ON CONFLICT (kind, key) DO UPDATE SET payload = excluded.payload, state = 'waiting',"
        " again_at = CASE WHEN job.lease IS NOT NULL AND (job.again_at IS NULL OR job.again_at > excluded.due_at)"
        "   THEN excluded.due_at ELSE job.again_at END,"
        " attempts = CASE WHEN job.state = 'dead' THEN 0 ELSE job.attempts END,"
        " due_at = CASE WHEN job.state = 'dead' OR (job.lease IS NULL AND job.attempts = 0"
        "   AND job.due_at > excluded.due_at) THEN excluded.due_at ELSE job.due_at END",
        kind=kind,
        key=key,
        payload=msgspec.json.encode(payload).decode(),
        due=due_at,
    )


def ensure(tx: Transaction, kind: str, key: str, due_at: int) -> None:
    """Ask for a job without payload unless there is one of that kind and key already, waiting, running or dead."""
    tx.run(
        "INSERT INTO job (kind, key, payload, state, due_at, attempts) VALUES (:kind, :key, '{}', 'waiting', :due, 0)"
        " ON CONFLICT (kind, key) DO NOTHING",
        kind=kind,
        key=key,
        due=due_at,
    )


def exists(tx: Transaction, kind: str, key: str) -> bool:
    return tx.one("SELECT 1 FROM job WHERE kind = :kind AND key = :key", kind=kind, key=key) is not None


def next_due(tx: Transaction, kinds: Iterable[str]) -> int:
    """When the first job of these kinds may be taken; NEVER when there is none."""
    rows = [tx.one("SELECT min(due_at) FROM job WHERE kind = :kind AND state = 'waiting'", kind=kind) for kind in kinds]
    return min((row[0] for row in rows if row is not None and row[0] is not None), default=NEVER)


def claim(tx: Transaction, kinds: Iterable[str], now: int, lease_end: int, limit: int) -> list[Job]:
    """Take at most `limit` jobs that are due; nobody else gets them before `lease_end`."""
    found: list[tuple[Any, ...]] = []
    for kind in kinds:
        found += tx.all(
            "SELECT due_at, kind, key, payload, attempts FROM job"
            " WHERE kind = :kind AND state = 'waiting' AND due_at <= :now ORDER BY due_at LIMIT :limit"
            " FOR UPDATE SKIP LOCKED",
            kind=kind,
            now=now,
            limit=limit,
        )
    found.sort(key=lambda row: int(row[0]))
    return [_take(tx, row, lease_end) for row in found[:limit]]


def _take(tx: Transaction, row: tuple[Any, ...], lease_end: int) -> Job:
    _, kind, key, payload, attempts = row
    job = Job(kind, key, msgspec.json.decode(payload), attempts + 1, secrets.token_hex(16))
    tx.run(
        "UPDATE job SET lease = :lease, due_at = :end, attempts = :attempts, again_at = NULL"
        " WHERE kind = :kind AND key = :key",
        lease=job.lease,
        end=lease_end,
        attempts=job.attempts,
        kind=kind,
        key=key,
    )
    return job


def extend(tx: Transaction, job: Job, lease_end: int) -> bool:
    """Keep a job for longer; False when it is another worker's by now."""
    return bool(_update(tx, job, "due_at = :at", at=lease_end))


def finish(tx: Transaction, job: Job, again_at: int = NEVER) -> None:
    """The job is done: it goes, unless it was asked for again meanwhile, or is to be done again at `again_at`."""
    if again_at == NEVER:
        tx.run(
            "DELETE FROM job WHERE kind = :kind AND key = :key AND lease = :lease AND again_at IS NULL",
            kind=job.kind,
            key=job.key,
            lease=job.lease,
        )
    changes = (
        "lease = NULL, attempts = 0, last_error = NULL, again_at = NULL,"
        " due_at = CASE WHEN again_at IS NULL OR again_at > :at THEN :at ELSE again_at END"
    )
    _update(tx, job, changes, at=again_at)


def retry(tx: Transaction, job: Job, error: str, due_at: int) -> None:
    """The job failed: it is due again at `due_at`."""
    _update(tx, job, "lease = NULL, again_at = NULL, last_error = :error, due_at = :at", error=error, at=due_at)


def bury(tx: Transaction, job: Job, error: str) -> None:
    """The job failed too often: it is kept, to be looked at and revived, and tried no more.

    Unless it was asked for again meanwhile: then it is as good as new.
    """
    changes = (
        "lease = NULL, last_error = :error, again_at = NULL, due_at = coalesce(again_at, due_at),"
        " attempts = CASE WHEN again_at IS NULL THEN attempts ELSE 0 END,"
        " state = CASE WHEN again_at IS NULL THEN 'dead' ELSE 'waiting' END"
    )
    _update(tx, job, changes, error=error)


def release(tx: Transaction, job: Job, now: int) -> None:
    """Give a job back that was begun and not finished; whoever takes it next begins anew."""
    _update(tx, job, "lease = NULL, again_at = NULL, due_at = :at, attempts = attempts - 1", at=now)


def dead(tx: Transaction, kind: str, after: str = "", limit: int = 1000) -> list[DeadJob]:
    """Jobs of a kind that were given up, in the order of their keys."""
    rows = tx.all(
        "SELECT kind, key, payload, attempts, last_error FROM job"
        " WHERE kind = :kind AND state = 'dead' AND key > :after ORDER BY key LIMIT :limit",
        kind=kind,
        after=after,
        limit=limit,
    )
    return [DeadJob(row[0], row[1], msgspec.json.decode(row[2]), row[3], row[4] or "") for row in rows]


def revive(tx: Transaction, kind: str, key: str, now: int) -> bool:
    """Let a dead job wait again, as if it were new; False when there is none."""
    changed = tx.run(
        "UPDATE job SET state = 'waiting', attempts = 0, due_at = :now"
        " WHERE kind = :kind AND key = :key AND state = 'dead'",
        kind=kind,
        key=key,
        now=now,
    )
    return bool(changed)


def hurry(tx: Transaction, kind: str, key: str, now: int) -> None:
    """Let a job that waits, for its next try perhaps, be done at once."""
    tx.run(
        "UPDATE job SET due_at = :now"
        " WHERE kind = :kind AND key = :key AND state = 'waiting' AND lease IS NULL AND due_at > :now",
        kind=kind,
        key=key,
        now=now,
    )


def discard(tx: Transaction, kind: str, key: str) -> None:
    """Forget a job; a worker that has it notices nothing."""
    tx.run("DELETE FROM job WHERE kind = :kind AND key = :key", kind=kind, key=key)


def _update(tx: Transaction, job: Job, changes: str, **values: Any) -> int:
    return tx.run(
        f"UPDATE job SET {changes} WHERE kind = :kind AND key = :key AND lease = :lease",
        kind=job.kind,
        key=job.key,
        lease=job.lease,
        **values,
    )
