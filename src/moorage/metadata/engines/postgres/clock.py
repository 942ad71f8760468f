"""The time as a PostgreSQL server has it, for nodes to agree on."""

from __future__ import annotations

from moorage.metadata.database import Transaction


def now(tx: Transaction) -> int:
    """Microseconds since 1970 UTC, at this moment and not at the beginning of the transaction."""
    row = tx.one("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)")
    return int(row[0]) if row else 0
