"""Rows of jobs: work that one transaction leaves for later. A worker process takes a job under a lease.

If the worker process dies, the lease ends and another worker process takes the job. Every job is therefore done at
least once, and doing it twice must be harmless.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from moorage.metadata.database import Transaction

NEVER: Final = 2**62
"""A time that is never reached."""

_HURRIED: Final = 0
"""When a running job that was hurried is due again. `enqueue` keeps it, because no time is earlier."""

RECURRING: Final = ""
"""The key of the one job of a kind that runs again and again."""


class JobFailed(Exception):
    """A job could not be done, for a reason outside the program. The text is the reason."""


class JobHopeless(JobFailed):
    """A job could not be done, and no further attempt can succeed: what it should work on is invalid."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job that this worker process has taken. `attempts` includes the current one."""

    kind: str
    key: str
    payload: Mapping[str, Any]
    attempts: int
    lease: str


@dataclass(frozen=True, slots=True)
class JobState:
    """A job as it is stored. `due_at` is when it may be taken next: for a job that is running, the end of its lease."""

    kind: str
    key: str
    is_dead: bool
    is_leased: bool
    due_at: int
    attempts: int
    last_error: str | None


def enqueue(tx: Transaction, kind: str, key: str, payload: Mapping[str, Any], due_at: int) -> None:
    """Add a job in the caller's transaction, or update the one of this kind and key.

    - A waiting job gets the newer payload and the earlier due time. After a failed attempt it keeps its due time.
    - A running job runs again afterwards.
    - A dead job becomes a new one.
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
    """Add a job without payload, unless one of this kind and key exists in any state."""
    tx.run(
        "INSERT INTO job (kind, key, payload, state, due_at, attempts) VALUES (:kind, :key, '{}', 'waiting', :due, 0)"
        " ON CONFLICT (kind, key) DO NOTHING",
        kind=kind,
        key=key,
        due=due_at,
    )


def exists(tx: Transaction, kind: str, key: str) -> bool:
    return tx.one("SELECT 1 FROM job WHERE kind = :kind AND key = :key", kind=kind, key=key) is not None


def is_waiting(tx: Transaction, kind: str, key: str) -> bool:
    """Whether there is a job of this kind and key that waits or runs; False for a dead one."""
    row = tx.one("SELECT 1 FROM job WHERE kind = :kind AND key = :key AND state = 'waiting'", kind=kind, key=key)
    return row is not None


def waiting_keys(tx: Transaction, kind: str, keys: Iterable[str]) -> set[str]:
    """Those of these keys that have a job of this kind that waits or runs."""
    # A condition on the state would let SQLite read all jobs of the kind that wait, by `job_by_due`.
    rows = tx.all("SELECT key, state FROM job WHERE kind = :kind AND key = ANY(:keys)", kind=kind, keys=list(keys))
    return {key for key, state in rows if state == "waiting"}


def waiting_payloads(tx: Transaction, kind: str, beginning: str, limit: int) -> list[Mapping[str, Any]]:
    """The payloads of at most `limit` jobs that wait or run, with keys of `beginning`, a space, and more."""
    rows = tx.all(
        "SELECT payload FROM job WHERE kind = :kind AND key > :after AND key < :before AND state = 'waiting'"
        " ORDER BY key LIMIT :limit",
        kind=kind,
        after=beginning + " ",
        before=beginning + "!",  # The character after the space.
        limit=limit,
    )
    return [msgspec.json.decode(row[0]) for row in rows]


def limit_waiting(tx: Transaction, kind: str, latest: int, latest_lease: int) -> None:
    """Make jobs due at these times at the latest: a clock that was ahead must not put them off."""
    tx.run(
        "UPDATE job SET due_at = CASE WHEN lease IS NULL THEN :latest ELSE :lease END"
        " WHERE kind = :kind AND state = 'waiting' AND due_at > CASE WHEN lease IS NULL THEN :latest ELSE :lease END",
        kind=kind,
        latest=latest,
        lease=latest_lease,
    )
    tx.run("UPDATE job SET again_at = :latest WHERE kind = :kind AND again_at > :latest", kind=kind, latest=latest)


# --- What a worker does with jobs -------------------------------------------------------------------------------


def next_due(tx: Transaction, kinds: Iterable[str]) -> int:
    """When the first job of these kinds is due; NEVER if there is none."""
    rows = [tx.one("SELECT min(due_at) FROM job WHERE kind = :kind AND state = 'waiting'", kind=kind) for kind in kinds]
    return min((row[0] for row in rows if row is not None and row[0] is not None), default=NEVER)


def claim(tx: Transaction, kinds: Iterable[str], now: int, lease_end: int, limit: int) -> list[Job]:
    """Take at most `limit` due jobs, the oldest first. No other worker process gets them before `lease_end`."""
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
    """Extend the lease; False if another worker process has taken the job, or it was dropped."""
    return bool(_update(tx, job, "due_at = :at", at=lease_end))


def finish(tx: Transaction, job: Job, again_at: int = NEVER, error: str | None = None) -> None:
    """Remove a job that is done. If it was enqueued again meanwhile, or with `again_at`, it waits again instead.

    `error` is why a recurring job failed. It stays until a run succeeds.
    """
    if again_at == NEVER:
        tx.run(
            "DELETE FROM job WHERE kind = :kind AND key = :key AND lease = :lease AND again_at IS NULL",
            kind=job.kind,
            key=job.key,
            lease=job.lease,
        )
    changes = (
        "lease = NULL, attempts = 0, last_error = :error, again_at = NULL,"
        " due_at = CASE WHEN again_at IS NULL OR again_at > :at THEN :at ELSE again_at END"
    )
    _update(tx, job, changes, at=again_at, error=error)


def retry(tx: Transaction, job: Job, error: str, due_at: int) -> None:
    """Let a job that failed wait until `due_at`; if it was hurried meanwhile, it is due at once."""
    changes = (
        "lease = NULL, last_error = :error,"
        " due_at = CASE WHEN again_at = :hurried THEN :hurried ELSE :at END, again_at = NULL"
    )
    _update(tx, job, changes, error=error, at=due_at, hurried=_HURRIED)


def bury(tx: Transaction, job: Job, error: str) -> bool:
    """Mark a job that failed too often as dead; returns whether it is.

    If it was enqueued again meanwhile, it waits as a new job instead. If its lease was lost, it belongs to another
    worker process.
    """
    changes = (
        "lease = NULL, last_error = :error, again_at = NULL, due_at = coalesce(again_at, due_at),"
        " attempts = CASE WHEN again_at IS NULL THEN attempts ELSE 0 END,"
        " state = CASE WHEN again_at IS NULL THEN 'dead' ELSE 'waiting' END"
    )
    return bool(_update(tx, job, changes, error=error)) and not is_waiting(tx, job.kind, job.key)


def release(tx: Transaction, job: Job, now: int) -> None:
    """Give an unfinished job back. The attempt does not count; the next worker process starts from the beginning."""
    _update(tx, job, "lease = NULL, again_at = NULL, due_at = :at, attempts = attempts - 1", at=now)


def _update(tx: Transaction, job: Job, changes: str, **values: Any) -> int:
    return tx.run(
        f"UPDATE job SET {changes} WHERE kind = :kind AND key = :key AND lease = :lease",
        kind=job.kind,
        key=job.key,
        lease=job.lease,
        **values,
    )


# --- What an operator does with jobs ----------------------------------------------------------------------------

_STATE: Final = "kind, key, state = 'dead', lease IS NOT NULL, due_at, attempts, last_error"


def page(tx: Transaction, after: tuple[str, str], limit: int, *, dead_only: bool) -> list[JobState]:
    """At most `limit` jobs behind the kind and key `after`, in the order of kind and key."""
    condition = "AND state = 'dead'" if dead_only else ""
    rows = tx.all(
        f"SELECT {_STATE} FROM job WHERE (kind, key) > (:kind, :key) {condition} ORDER BY kind, key LIMIT :limit",
        kind=after[0],
        key=after[1],
        limit=limit,
    )
    return [_state(row) for row in rows]


def find(tx: Transaction, kind: str, key: str) -> JobState | None:
    row = tx.one(f"SELECT {_STATE} FROM job WHERE kind = :kind AND key = :key FOR UPDATE", kind=kind, key=key)
    return _state(row) if row else None


def dead_keys(tx: Transaction, kind: str) -> list[str]:
    """The keys of the dead jobs of a kind."""
    rows = tx.all("SELECT key FROM job WHERE kind = :kind AND state = 'dead' ORDER BY key", kind=kind)
    return [row[0] for row in rows]


def revive(tx: Transaction, kind: str, key: str, now: int) -> None:
    """Let a dead job wait again as a new one."""
    tx.run(
        "UPDATE job SET state = 'waiting', attempts = 0, due_at = :now"
        " WHERE kind = :kind AND key = :key AND state = 'dead'",
        kind=kind,
        key=key,
        now=now,
    )


def hurry(tx: Transaction, kind: str, key: str, now: int) -> None:
    """Make a waiting job due now. A running one runs again as soon as it has ended, also if it fails."""
    tx.run(
        "UPDATE job SET due_at = CASE WHEN lease IS NULL THEN :now ELSE due_at END,"
        " again_at = CASE WHEN lease IS NULL THEN again_at ELSE :hurried END"
        " WHERE kind = :kind AND key = :key AND state = 'waiting' AND (lease IS NOT NULL OR due_at > :now)",
        kind=kind,
        key=key,
        now=now,
        hurried=_HURRIED,
    )


def delete(tx: Transaction, kind: str, key: str) -> None:
    tx.run("DELETE FROM job WHERE kind = :kind AND key = :key", kind=kind, key=key)


def _state(row: tuple[Any, ...]) -> JobState:
    kind, key, is_dead, is_leased, due_at, attempts, last_error = row
    return JobState(kind, key, bool(is_dead), bool(is_leased), due_at, attempts, last_error)
