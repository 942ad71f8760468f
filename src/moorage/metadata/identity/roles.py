"""Rows of roles."""

from __future__ import annotations

from dataclasses import dataclass

from moorage.metadata.database import Transaction
from moorage.metadata.identity import policies as identity_policies


@dataclass(frozen=True, slots=True)
class Role:
    id: str
    account: str
    name: str
    path: str
    trust_policy: str
    max_session_seconds: int
    created_at: int

    @property
    def arn(self) -> str:
        return f"arn:aws:iam::{self.account}:role{self.path}{self.name}"

    @property
    def title(self) -> str:
        return f"role {self.name!r}"


_BY_NAME = """
SELECT id, account, name, path, trust_policy, max_session_seconds, created_at
FROM iam_role WHERE account = :account AND name = :name
"""
_BY_ID = """
SELECT id, account, name, path, trust_policy, max_session_seconds, created_at FROM iam_role WHERE id = :id
"""
_OF_ACCOUNT = """
SELECT id, account, name, path, trust_policy, max_session_seconds, created_at
FROM iam_role WHERE account = :account ORDER BY name
"""


def insert_role(tx: Transaction, role: Role) -> None:
    tx.run(
        "INSERT INTO iam_role (id, account, name, path, trust_policy, max_session_seconds, created_at)"
        " VALUES (:id, :account, :name, :path, :trust, :seconds, :now)",
        id=role.id,
        account=role.account,
        name=role.name,
        path=role.path,
        trust=role.trust_policy,
        seconds=role.max_session_seconds,
        now=role.created_at,
    )


def find_role(tx: Transaction, account: str, name: str) -> Role | None:
    row = tx.one(_BY_NAME, account=account, name=name)
    return Role(*row) if row else None


def find_role_by_id(tx: Transaction, role: str) -> Role | None:
    row = tx.one(_BY_ID, id=role)
    return Role(*row) if row else None


def list_roles(tx: Transaction, account: str) -> list[Role]:
    rows = tx.all(_OF_ACCOUNT, account=account)
    return [Role(*row) for row in rows]


def update_role(tx: Transaction, role: Role) -> None:
    """Update the trust policy and the maximum session duration; a role's other values do not change."""
    tx.run(
        "UPDATE iam_role SET trust_policy = :trust, max_session_seconds = :seconds WHERE id = :id",
        id=role.id,
        trust=role.trust_policy,
        seconds=role.max_session_seconds,
    )


def delete_role(tx: Transaction, role: Role) -> None:
    """Delete a role with its policies."""
    identity_policies.delete_all(tx, role.id)
    tx.run("DELETE FROM iam_role WHERE id = :id", id=role.id)
