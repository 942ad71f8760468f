"""Rows of the results of verifications: of the last one that completed, and of the one that is under way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from moorage.metadata.database import Transaction

KEPT: Final = 10_000
"""Findings of a verification that are kept; all are counted."""


@dataclass(frozen=True, slots=True)
class VerificationRun:
    """A verification that completed. `unrepaired`: layers and manifests that cannot be served."""

    began_at: int
    ended_at: int
    findings: int
    unrepaired: int


@dataclass(frozen=True, slots=True)
class FindingRow:
    """A finding of a verification, with its number in the order in which they were found."""

    number: int
    what: str
    name: str
    detail: str
    is_repaired: bool


def begin(tx: Transaction, now: int, *, resume: bool) -> None:
    """Begin a run, or continue the one that was interrupted."""
    if not resume:
        tx.run("DELETE FROM verification_run WHERE is_complete = 0")
        tx.run("DELETE FROM verification_finding WHERE is_complete = 0")
    tx.run(
        "INSERT INTO verification_run (is_complete, began_at, findings, unrepaired) VALUES (0, :now, 0, 0)"
        " ON CONFLICT (is_complete) DO NOTHING",
        now=now,
    )


def add(tx: Transaction, finding: FindingRow, *, is_unrepaired: bool) -> None:
    """Add a finding to the run; its number is assigned. A resumed run finds some again, which are counted once."""
    row = tx.one("SELECT findings FROM verification_run WHERE is_complete = 0")
    count = row[0] if row else 0
    if count < KEPT and not tx.run(
        "INSERT INTO verification_finding (is_complete, number, what, name, detail, is_repaired)"
        " VALUES (0, :number, :what, :name, :detail, :is_repaired) ON CONFLICT DO NOTHING",
        number=count + 1,
        what=finding.what,
        name=finding.name,
        detail=finding.detail,
        is_repaired=int(finding.is_repaired),
    ):
        return
    tx.run(
        "UPDATE verification_run SET findings = findings + 1, unrepaired = unrepaired + :unrepaired"
        " WHERE is_complete = 0",
        unrepaired=int(is_unrepaired),
    )


def complete(tx: Transaction, now: int) -> None:
    """The run has completed, and replaces the earlier one."""
    for table in ("verification_run", "verification_finding"):
        tx.run(f"DELETE FROM {table} WHERE is_complete = 1")
        tx.run(f"UPDATE {table} SET is_complete = 1 WHERE is_complete = 0")
    tx.run("UPDATE verification_run SET ended_at = :now WHERE is_complete = 1", now=now)


def last(tx: Transaction) -> VerificationRun | None:
    """The last verification that completed, if there is one."""
    row = tx.one("SELECT began_at, ended_at, findings, unrepaired FROM verification_run WHERE is_complete = 1")
    return VerificationRun(*row) if row else None


def page(tx: Transaction, after: int, limit: int) -> list[FindingRow]:
    """At most `limit` findings of the last completed verification with numbers after `after`."""
    rows = tx.all(
        "SELECT number, what, name, detail, is_repaired FROM verification_finding"
        " WHERE is_complete = 1 AND number > :after ORDER BY number LIMIT :limit",
        after=after,
        limit=limit,
    )
    return [FindingRow(row[0], row[1], row[2], row[3], bool(row[4])) for row in rows]
