"""The values of the gauges for monitoring."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from moorage.domain.units import SECOND
from moorage.metadata.database import Transaction
from moorage.metadata.replication import progress
from moorage.metadata.scanning import scanner_state, scans
from moorage.metadata.scanning.scans import SCAN_JOB

_COUNT_EVERY: Final = 300 * SECOND
"""Microseconds between counts of stored bytes. A count reads all rows of blobs: about half a second for a million."""


class StoredBytes:
    """The bytes of all blobs and of uploads that are not complete, counted again every five minutes."""

    def __init__(self) -> None:
        self._counted_at = 0
        self._values: Mapping[str, float] = {}

    def gauge(self, tx: Transaction, now: int) -> Mapping[str, float]:
        """The bytes by content; `now` in microseconds."""
        if not self._values or not 0 <= now - self._counted_at < _COUNT_EVERY:
            layers = tx.one("SELECT coalesce(sum(size), 0) FROM blob") or (0,)
            uploads = tx.one("SELECT coalesce(sum(size + kept), 0) FROM upload") or (0,)
            self._values, self._counted_at = {"layers": float(layers[0]), "uploads": float(uploads[0])}, now
        return self._values


def gauges(tx: Transaction, now: int) -> Mapping[str, Mapping[str, float]]:
    """The values by gauge and label, with the names of `metrics.py`; `now` in microseconds."""
    rows = tx.all("SELECT kind, state, count(*), count(last_error), min(due_at) FROM job GROUP BY kind, state")
    waiting = {kind: (count, failing, due) for kind, state, count, failing, due in rows if state == "waiting"}
    events = tx.one("SELECT count(*), count(error) FROM delivery") or (0, 0)
    uploads = tx.one("SELECT count(*) FROM upload")
    return {
        "moorage_jobs_waiting": {kind: count for kind, (count, _, _) in waiting.items()},
        "moorage_jobs_failing": {kind: failing for kind, (_, failing, _) in waiting.items()},
        "moorage_jobs_dead": {kind: count for kind, state, count, _, _ in rows if state == "dead"},
        "moorage_job_overdue_seconds": {kind: max(now - due, 0) / SECOND for kind, (_, _, due) in waiting.items()},
        "moorage_events": {"waiting": events[0] - events[1], "failed": events[1]},
        "moorage_uploads_open": {"open": uploads[0] if uploads else 0},
        "moorage_scans": {"waiting": waiting.get(SCAN_JOB, (0, 0, 0))[0], "failed": scans.number_of_failed(tx)},
        "moorage_scanner_database_timestamp_seconds": _scanner_database(tx),
        **_replication(tx, now),
    }


def _replication(tx: Transaction, now: int) -> Mapping[str, Mapping[str, float]]:
    """The gauges of replication. A destination that has nothing waiting has no lag."""
    found = {f"{each.destination.region}/{each.destination.account}": each for each in progress.of_destinations(tx)}
    lags = {name: 0 if each.oldest is None else max(now - each.oldest, 0) for name, each in found.items()}
    return {
        "moorage_replication_waiting": {name: each.waiting for name, each in found.items()},
        "moorage_replication_failed": {name: each.failed for name, each in found.items()},
        "moorage_replication_lag_seconds": {name: lag / SECOND for name, lag in lags.items()},
    }


def _scanner_database(tx: Transaction) -> Mapping[str, float]:
    """The time of the vulnerability database, by scanner; nothing if there is none, or if its age is unknown."""
    state = scanner_state.find(tx)
    if state is None or state.database_time is None:
        return {}
    return {state.scanner: state.database_time / SECOND}
