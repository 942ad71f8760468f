"""Rows of identity policies: an account's managed policies, their attachments, and inline policies.

An identity is a user or a role. Their ids share one format.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from moorage.metadata.database import Transaction

AWS: Final = "aws"
"""The account in the ARNs of AWS managed policies."""


@dataclass(frozen=True, slots=True, order=True)
class PolicyName:
    """A managed policy of an account; with the account `aws`, an AWS managed policy."""

    account: str
    name: str

    @property
    def arn(self) -> str:
        return f"arn:aws:iam::{self.account}:policy/{self.name}"


@dataclass(frozen=True, slots=True)
class IdentityPolicies:
    """The policies of an identity, as names and documents. For AWS managed policies the document is None."""

    attached: tuple[tuple[PolicyName, str | None], ...]
    inline: tuple[tuple[str, str], ...]


def find_policy(tx: Transaction, account: str, name: str) -> str | None:
    """The document of a policy."""
    row = tx.one(
        "SELECT document FROM iam_policy WHERE account = :account AND name = :name", account=account, name=name
    )
    return row[0] if row else None


def put_policy(tx: Transaction, policy: PolicyName, document: str, now: int) -> None:
    tx.run(
        "INSERT INTO iam_policy (account, name, document, created_at) VALUES (:account, :name, :document, :now)"
        " ON CONFLICT (account, name) DO UPDATE SET document = excluded.document",
        account=policy.account,
        name=policy.name,
        document=document,
        now=now,
    )


def delete_policy(tx: Transaction, policy: PolicyName) -> None:
    statement = "DELETE FROM iam_policy WHERE account = :account AND name = :name"
    tx.run(statement, account=policy.account, name=policy.name)


def list_policies(tx: Transaction, account: str) -> list[tuple[str, str]]:
    """The names and documents of an account's policies."""
    rows = tx.all("SELECT name, document FROM iam_policy WHERE account = :account ORDER BY name", account=account)
    return [(row[0], row[1]) for row in rows]


def identities_with(tx: Transaction, policy: PolicyName, account: str) -> list[str]:
    """The names of an account's users and roles that have the policy attached."""
    rows = tx.all(
        "SELECT coalesce(u.name, r.name) FROM attached_policy a"
        " LEFT JOIN iam_user u ON u.id = a.identity_id LEFT JOIN iam_role r ON r.id = a.identity_id"
        " WHERE a.policy_account = :policy_account AND a.policy_name = :name"
        " AND coalesce(u.account, r.account) = :account ORDER BY 1",
        policy_account=policy.account,
        name=policy.name,
        account=account,
    )
    return [row[0] for row in rows]


def attach(tx: Transaction, identity: str, policy: PolicyName) -> None:
    tx.run(
        "INSERT INTO attached_policy (identity_id, policy_account, policy_name) VALUES (:identity, :account, :name)"
        " ON CONFLICT DO NOTHING",
        identity=identity,
        account=policy.account,
        name=policy.name,
    )


def detach(tx: Transaction, identity: str, policy: PolicyName) -> bool:
    """Detach a policy; False when it was not attached."""
    return bool(
        tx.run(
            "DELETE FROM attached_policy"
            " WHERE identity_id = :identity AND policy_account = :account AND policy_name = :name",
            identity=identity,
            account=policy.account,
            name=policy.name,
        )
    )


def put_inline(tx: Transaction, identity: str, name: str, document: str) -> None:
    tx.run(
        "INSERT INTO inline_policy (identity_id, name, document) VALUES (:identity, :name, :document)"
        " ON CONFLICT (identity_id, name) DO UPDATE SET document = excluded.document",
        identity=identity,
        name=name,
        document=document,
    )


def delete_inline(tx: Transaction, identity: str, name: str) -> bool:
    """Delete an inline policy; False when there is none with that name."""
    statement = "DELETE FROM inline_policy WHERE identity_id = :identity AND name = :name"
    return bool(tx.run(statement, identity=identity, name=name))


def policies_of(tx: Transaction, identity: str) -> IdentityPolicies:
    attached = tx.all(
        "SELECT a.policy_account, a.policy_name, p.document FROM attached_policy a"
        " LEFT JOIN iam_policy p ON p.account = a.policy_account AND p.name = a.policy_name"
        " WHERE a.identity_id = :identity ORDER BY a.policy_account, a.policy_name",
        identity=identity,
    )
    inline = tx.all(
        "SELECT name, document FROM inline_policy WHERE identity_id = :identity ORDER BY name", identity=identity
    )
    return IdentityPolicies(
        tuple((PolicyName(row[0], row[1]), row[2]) for row in attached), tuple((row[0], row[1]) for row in inline)
    )


def delete_all(tx: Transaction, identity: str) -> None:
    """Delete all policies of an identity that is being deleted."""
    tx.run("DELETE FROM attached_policy WHERE identity_id = :identity", identity=identity)
    tx.run("DELETE FROM inline_policy WHERE identity_id = :identity", identity=identity)
