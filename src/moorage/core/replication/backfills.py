"""Backfills: replicate the images that a registry had before its configuration. Start, describe, list and stop them.

`backfill_jobs.py` does the work.
"""

from __future__ import annotations

import uuid
from typing import Final

from moorage.domain.errors import InvalidParameter
from moorage.domain.names import Registry
from moorage.domain.registry.quotas import limit_exceeded
from moorage.domain.replication.errors import (
    ReplicationBackfillInProgress,
    ReplicationBackfillInvalidStatus,
    ReplicationBackfillNotFound,
)
from moorage.domain.replication.rules import destinations_of
from moorage.metadata import jobs
from moorage.metadata.database import Transaction
from moorage.metadata.replication import backfills as rows
from moorage.metadata.replication import configurations
from moorage.metadata.replication.backfills import Backfill, Result, ResultStatus

JOB: Final = "replication-backfill"
"""The kind of the jobs of backfills. The key of a job is the backfill's id."""

_MOST: Final = 10
"""Backfills of a registry in progress at once (API reference, StartReplicationBackfill)."""

STATUSES: Final[tuple[ResultStatus, ...]] = ("COMPLETE", "FAILED")


def start(tx: Transaction, registry: Registry, destination: Registry, now: int) -> Backfill:
    """Start a backfill to one of the configured destinations.

    Raises InvalidParameter, ReplicationBackfillInProgress, LimitExceeded.
    """
    if destination not in destinations_of(configurations.rules_of(tx, registry)):
        reason = "The destination is not part of the replication configuration of the registry"  # Not captured.
        raise InvalidParameter(parameter="destination", constraint=reason)
    unfinished = rows.unfinished(tx, registry)
    if any(other.destination.region == destination.region for other in unfinished):
        raise ReplicationBackfillInProgress(region=destination.region)
    if len(unfinished) >= _MOST:
        raise limit_exceeded(f"{_MOST} replication backfills in progress")
    new = Backfill(str(uuid.uuid4()), registry, destination, "PREPARING", now)
    rows.insert(tx, new)
    jobs.enqueue(tx, JOB, new.id, {}, now)
    return new


def get(tx: Transaction, registry: Registry, backfill_id: str) -> Backfill:
    """Raises ReplicationBackfillNotFound, also for a backfill of another registry."""
    found = rows.find(tx, backfill_id.lower())
    if found is None or found.source != registry:
        raise ReplicationBackfillNotFound(backfill=backfill_id, registry=registry.account)
    return found


def results(tx: Transaction, backfill: Backfill, after: int, status: ResultStatus | None, limit: int) -> list[Result]:
    """A page of results; none before the backfill has ended (API reference, DescribeReplicationBackfillResults)."""
    if not backfill.has_ended:
        return []
    return rows.results(tx, backfill.id, after, STATUSES if status is None else (status,), limit)


def stop(tx: Transaction, registry: Registry, backfill_id: str, now: int) -> Backfill:
    """Stop a backfill. What is being copied is copied to the end.

    Raises ReplicationBackfillNotFound, and ReplicationBackfillInvalidStatus unless it is being prepared or in progress.
    """
    found = get(tx, registry, backfill_id)
    if found.status not in ("PREPARING", "IN_PROGRESS"):
        raise ReplicationBackfillInvalidStatus(backfill=backfill_id, status=found.status)
    rows.set_status(tx, found.id, "STOPPING")
    jobs.enqueue(tx, JOB, found.id, {}, now)
    return get(tx, registry, backfill_id)
