"""The time of the PostgreSQL server, which all nodes share."""

from __future__ import annotations

from moorage.metadata.database import Transaction


def now(tx: Transaction) -> int:
    """Microseconds since 1970 UTC: now, not at the start of the transaction."""
    row = tx.one("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)")
    return int(row[0]) if row else 0
