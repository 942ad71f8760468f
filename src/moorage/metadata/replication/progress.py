"""How far replication is, by destination."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from moorage.domain.names import Registry
from moorage.metadata.database import Transaction

_MOST_SHOWN: Final = 1000


@dataclass(frozen=True, slots=True)
class Progress:
    """What waits for a destination and what failed. `oldest`: since when the oldest one waits."""

    destination: Registry
    waiting: int = 0
    failed: int = 0
    oldest: int | None = None


@dataclass(frozen=True, slots=True)
class FailedEntry:
    """An image or tag that failed, and why."""

    destination: Registry
    repository: str
    digest: str
    tag: str
    code: str
    reason: str


def of_destinations(tx: Transaction) -> list[Progress]:
    """The progress of each destination for which something waits or failed. Reads all rows of both."""
    rows = tx.all(
        "SELECT to_account, to_region, count(*) - count(failed_at), count(failed_at),"
        " min(CASE WHEN failed_at IS NULL THEN created_at END)"
        " FROM replication_entry GROUP BY to_account, to_region ORDER BY to_region, to_account"
    )
    return [Progress(Registry(row[0], row[1]), *row[2:]) for row in rows]


def count_some(tx: Transaction, limit: int) -> tuple[int, int]:
    """How many entries wait and how many failed; of each at most `limit` are counted."""
    numbers = [
        tx.one(
            f"SELECT count(*) FROM (SELECT 1 FROM replication_entry WHERE {condition} LIMIT :limit) counted",
            limit=limit,
        )
        for condition in ("failed_at IS NULL", "failed_at IS NOT NULL")
    ]
    waiting, failed = (0 if row is None else int(row[0]) for row in numbers)
    return waiting, failed


def failed(tx: Transaction) -> list[FailedEntry]:
    """What failed, the latest first, at most 1,000."""
    rows = tx.all(
        "SELECT to_account, to_region, repository, digest, tag, failure_code, failure_reason FROM replication_entry"
        " WHERE failed_at IS NOT NULL ORDER BY failed_at DESC LIMIT :limit",
        limit=_MOST_SHOWN,
    )
    return [FailedEntry(Registry(row[0], row[1]), *row[2:]) for row in rows]
