"""Rows of the versions of managed policies, the default version of each among them."""

from __future__ import annotations

from dataclasses import dataclass

from moorage.metadata.database import Transaction
from moorage.metadata.identity.policies import PolicyName


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """A version of a managed policy. Its document never changes."""

    number: int
    document: str
    created_at: int

    @property
    def id(self) -> str:
        return f"v{self.number}"


def insert(tx: Transaction, policy: PolicyName, version: PolicyVersion) -> None:
    tx.run(
        "INSERT INTO iam_policy_version (account, name, version, document, created_at)"
        " VALUES (:account, :name, :version, :document, :now)",
        account=policy.account,
        name=policy.name,
        version=version.number,
        document=version.document,
        now=version.created_at,
    )


def of_policy(tx: Transaction, policy: PolicyName) -> list[PolicyVersion]:
    """All versions of a policy, the newest first. A policy has at most five."""
    rows = tx.all(
        "SELECT version, document, created_at FROM iam_policy_version"
        " WHERE account = :account AND name = :name ORDER BY version DESC",
        account=policy.account,
        name=policy.name,
    )
    return [PolicyVersion(*row) for row in rows]


def delete(tx: Transaction, policy: PolicyName, number: int) -> None:
    tx.run(
        "DELETE FROM iam_policy_version WHERE account = :account AND name = :name AND version = :version",
        account=policy.account,
        name=policy.name,
        version=number,
    )


def delete_all(tx: Transaction, policy: PolicyName) -> None:
    """Delete all versions of a policy that is being deleted."""
    statement = "DELETE FROM iam_policy_version WHERE account = :account AND name = :name"
    tx.run(statement, account=policy.account, name=policy.name)
