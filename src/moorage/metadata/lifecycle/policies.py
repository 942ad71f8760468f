"""Rows of lifecycle policies."""

from __future__ import annotations

from dataclasses import dataclass

from moorage.metadata.database import Transaction


@dataclass(frozen=True, slots=True)
class StoredPolicy:
    """The text of a policy and the time of its last evaluation; 0 if there was none."""

    text: str
    evaluated_at: int


def put(tx: Transaction, repository_id: int, text: str) -> None:
    """Set the policy of a repository; the new policy counts as not evaluated."""
    tx.run(
        "INSERT INTO lifecycle_policy (repository_id, policy, evaluated_at) VALUES (:repository, :policy, 0)"
        " ON CONFLICT (repository_id) DO UPDATE SET policy = excluded.policy, evaluated_at = 0",
        repository=repository_id,
        policy=text,
    )


def find(tx: Transaction, repository_id: int) -> StoredPolicy | None:
    row = tx.one(
        "SELECT policy, evaluated_at FROM lifecycle_policy WHERE repository_id = :repository", repository=repository_id
    )
    return StoredPolicy(*row) if row else None


def exists(tx: Transaction, repository_id: int) -> bool:
    row = tx.one("SELECT 1 FROM lifecycle_policy WHERE repository_id = :repository", repository=repository_id)
    return row is not None


def delete(tx: Transaction, repository_id: int) -> None:
    tx.run("DELETE FROM lifecycle_policy WHERE repository_id = :repository", repository=repository_id)


def record_evaluation(tx: Transaction, repository_id: int, text: str, now: int) -> None:
    """Record an evaluation, unless the policy was replaced meanwhile."""
    tx.run(
        "UPDATE lifecycle_policy SET evaluated_at = :now WHERE repository_id = :repository AND policy = :policy",
        repository=repository_id,
        policy=text,
        now=now,
    )
