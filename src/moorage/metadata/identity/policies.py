"""Rows of identity policies: an account's managed policies, their attachments, and inline policies.

An identity is a user or a role. Their ids share one format.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from moorage.metadata.database import Transaction
from moorage.metadata.identity.tags import paths_below, tags_of, text_of

AWS: Final = "aws"
"""The account in the ARNs of AWS managed policies."""


@dataclass(frozen=True, slots=True, order=True)
class PolicyName:
    """A managed policy of an account; with the account `aws`, an AWS managed policy.

    The path is only a part of the ARN: an account has no two policies with one name.
    """

    account: str
    name: str
    path: str = field(default="/", compare=False)

    @property
    def arn(self) -> str:
        return f"arn:aws:iam::{self.account}:policy{self.path}{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedPolicy:
    """A managed policy of an account. `document` is that of its default version, which has the number `version`.

    `last_version` is the number of the newest version that it ever had, and `updated_at` the time of that version.
    `attachments` counts the users and roles that have it, as read.
    """

    name: PolicyName
    document: str
    created_at: int
    updated_at: int
    version: int = 1
    last_version: int = 1
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    attachments: int = 0


class Attachment(NamedTuple):
    """A user or role that a policy is attached to; `kind` is `user` or `role`."""

    name: str
    id: str
    kind: str
    path: str


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


_POLICIES: Final = (
    "SELECT account, name, path, document, created_at, updated_at, version, last_version, description, tags,"
    " (SELECT count(*) FROM attached_policy a WHERE a.policy_account = p.account AND a.policy_name = p.name)"
    " FROM iam_policy p WHERE account = :account"
)
_IS_ATTACHED: Final = (
    " AND EXISTS (SELECT 1 FROM attached_policy a WHERE a.policy_account = p.account AND a.policy_name = p.name)"
)


class PolicyFilter(NamedTuple):
    """The policies of a list: those with paths that begin so, and on request only attached ones."""

    path_prefix: str = "/"
    only_attached: bool = False


def find_managed(tx: Transaction, policy: PolicyName) -> ManagedPolicy | None:
    row = tx.one(f"{_POLICIES} AND name = :name", account=policy.account, name=policy.name)
    return _managed(row) if row else None


def page_of_policies(
    tx: Transaction, account: str, selected: PolicyFilter, after: str, limit: int
) -> list[ManagedPolicy]:
    """At most `limit` policies of an account with names after `after`."""
    attached = _IS_ATTACHED if selected.only_attached else ""
    rows = tx.all(
        f"{_POLICIES} AND name > :after AND path >= :first AND path < :last{attached} ORDER BY name LIMIT :limit",
        account=account,
        after=after,
        limit=limit,
        **paths_below(selected.path_prefix),
    )
    return [_managed(row) for row in rows]


def put_policy(tx: Transaction, policy: ManagedPolicy) -> None:
    """Add a policy, or replace everything of it but its path and when it was created."""
    tx.run(
        "INSERT INTO iam_policy"
        " (account, name, path, document, created_at, updated_at, version, last_version, description, tags)"
        " VALUES (:account, :name, :path, :document, :created, :updated, :version, :last, :description, :tags)"
        " ON CONFLICT (account, name) DO UPDATE SET document = excluded.document, updated_at = excluded.updated_at,"
        " version = excluded.version, last_version = excluded.last_version, description = excluded.description,"
        " tags = excluded.tags",
        account=policy.name.account,
        name=policy.name.name,
        path=policy.name.path,
        document=policy.document,
        created=policy.created_at,
        updated=policy.updated_at,
        version=policy.version,
        last=policy.last_version,
        description=policy.description,
        tags=text_of(policy.tags),
    )


def delete_policy(tx: Transaction, policy: PolicyName) -> None:
    """Delete a policy. `policy_versions.delete_all` deletes its versions."""
    statement = "DELETE FROM iam_policy WHERE account = :account AND name = :name"
    tx.run(statement, account=policy.account, name=policy.name)


def list_policies(tx: Transaction, account: str) -> list[ManagedPolicy]:
    return [_managed(row) for row in tx.all(f"{_POLICIES} ORDER BY name", account=account)]


_ATTACHMENTS: Final = (
    " FROM attached_policy a"
    " LEFT JOIN iam_user u ON u.id = a.identity_id LEFT JOIN iam_role r ON r.id = a.identity_id"
    " WHERE a.policy_account = :policy_account AND a.policy_name = :name"
    " AND coalesce(u.account, r.account) = :account"
)


def attachments_of(
    tx: Transaction, policy: PolicyName, account: str, after: str = "", limit: int = 1 << 30
) -> list[Attachment]:
    """The users and roles of an account that have the policy attached, with ids after `after`."""
    rows = tx.all(
        "SELECT coalesce(u.name, r.name), a.identity_id, CASE WHEN r.id IS NULL THEN 'user' ELSE 'role' END,"
        f" coalesce(u.path, r.path){_ATTACHMENTS} AND a.identity_id > :after ORDER BY a.identity_id LIMIT :limit",
        policy_account=policy.account,
        name=policy.name,
        account=account,
        after=after,
        limit=limit,
    )
    return [Attachment(*row) for row in rows]


def count_of_attachments(tx: Transaction, policy: PolicyName, account: str) -> int:
    """How many users and roles of an account have the policy attached."""
    values = {"policy_account": policy.account, "name": policy.name, "account": account}
    row = tx.one(f"SELECT count(*){_ATTACHMENTS}", **values)
    return row[0] if row else 0


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
        "SELECT a.policy_account, a.policy_name, p.document, coalesce(p.path, '/') FROM attached_policy a"
        " LEFT JOIN iam_policy p ON p.account = a.policy_account AND p.name = a.policy_name"
        " WHERE a.identity_id = :identity ORDER BY a.policy_account, a.policy_name",
        identity=identity,
    )
    inline = tx.all(
        "SELECT name, document FROM inline_policy WHERE identity_id = :identity ORDER BY name", identity=identity
    )
    return IdentityPolicies(
        tuple((PolicyName(row[0], row[1], row[3]), row[2]) for row in attached),
        tuple((row[0], row[1]) for row in inline),
    )


def delete_all(tx: Transaction, identity: str) -> None:
    """Delete all policies of an identity that is being deleted."""
    tx.run("DELETE FROM attached_policy WHERE identity_id = :identity", identity=identity)
    tx.run("DELETE FROM inline_policy WHERE identity_id = :identity", identity=identity)


def _managed(row: tuple[Any, ...]) -> ManagedPolicy:
    account, name, path, document, created_at, updated_at, version, last_version, description, tags, count = row
    return ManagedPolicy(
        name=PolicyName(account, name, path),
        document=document,
        created_at=created_at,
        updated_at=updated_at,
        version=version,
        last_version=last_version,
        description=description,
        tags=tags_of(tags),
        attachments=count,
    )
