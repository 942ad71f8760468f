"""Whether PostgreSQL accepts changes: a standby does not, and a server whose administrator made it read-only."""

from __future__ import annotations

from moorage.metadata.database import Transaction


def is_read_only(tx: Transaction) -> bool:
    """Whether this transaction, begun as one that writes, cannot. The query changes nothing."""
    return tx.one("SELECT current_setting('transaction_read_only')") == ("on",)
