"""The values of the gauges for monitoring."""

from __future__ import annotations

from collections.abc import Mapping

from moorage.domain.units import SECOND
from moorage.metadata.database import Transaction


def gauges(tx: Transaction, now: int) -> Mapping[str, Mapping[str, float]]:
    """The values by gauge and label, with the names of `metrics.py`; `now` in microseconds."""
    rows = tx.all("SELECT kind, state, count(*), min(due_at) FROM job GROUP BY kind, state")
    waiting = {kind: (count, due) for kind, state, count, due in rows if state == "waiting"}
    events = tx.one("SELECT count(*), count(error) FROM delivery") or (0, 0)
    uploads = tx.one("SELECT count(*) FROM upload")
    return {
        "moorage_jobs_waiting": {kind: count for kind, (count, _) in waiting.items()},
        "moorage_jobs_dead": {kind: count for kind, state, count, _ in rows if state == "dead"},
        "moorage_job_overdue_seconds": {kind: max(now - due, 0) / SECOND for kind, (_, due) in waiting.items()},
        "moorage_events": {"waiting": events[0] - events[1], "failed": events[1]},
        "moorage_uploads_open": {"open": uploads[0] if uploads else 0},
    }
