"""The row with the state of the scanner, as the node that asked it last saw it."""

from __future__ import annotations

from moorage.domain.scanning.ports import ScannerStatus
from moorage.metadata.database import Transaction


def find(tx: Transaction) -> ScannerStatus | None:
    """The state; None if no scanner has been seen."""
    row = tx.one("SELECT scanner, database_id, database_at, problem FROM scanner_state WHERE id = 1")
    if row is None:
        return None
    scanner, database, database_at, problem = row
    return ScannerStatus(scanner, database or None, database_at or None, problem or None)


def put(tx: Transaction, status: ScannerStatus) -> None:
    tx.run(
        "INSERT INTO scanner_state (id, scanner, database_id, database_at, problem)"
        " VALUES (1, :scanner, :database, :at, :problem)"
        " ON CONFLICT (id) DO UPDATE SET scanner = excluded.scanner, database_id = excluded.database_id,"
        " database_at = excluded.database_at, problem = excluded.problem",
        scanner=status.scanner,
        database=status.database or "",
        at=status.database_time or 0,
        problem=status.problem or "",
    )


def record_problem(tx: Transaction, problem: str) -> None:
    """Record that the scanner does not answer. Facts that it reported earlier stay."""
    tx.run("UPDATE scanner_state SET problem = :problem WHERE id = 1", problem=problem)


def clear(tx: Transaction) -> None:
    """Forget the scanner: the server has none any more."""
    tx.run("DELETE FROM scanner_state WHERE id = 1")
