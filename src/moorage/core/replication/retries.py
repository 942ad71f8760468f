"""Retries that an operator asks for: what failed waits again, and what waits is tried now."""

from __future__ import annotations

from dataclasses import dataclass

from moorage.core.replication import outbox
from moorage.metadata import jobs
from moorage.metadata.database import Transaction
from moorage.metadata.replication import entries
from moorage.metadata.replication.entries import Chosen


@dataclass(frozen=True, slots=True)
class Retried:
    """How many entries that had failed wait again, and how many repositories are replicated now."""

    failed: int
    repositories: int


def retry(tx: Transaction, chosen: Chosen, now: int) -> Retried:
    """Let failed entries wait again, those of backfills too, and make the jobs of all streams with entries due now."""
    failed = entries.wait_again(tx, chosen, now)
    streams = entries.waiting_streams(tx, chosen)
    for stream in streams:
        jobs.enqueue(tx, outbox.JOB, stream.key, {}, now)
        jobs.hurry(tx, outbox.JOB, stream.key, now)
    return Retried(failed, len(streams))
