"""Rows of roles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from moorage.metadata.database import Transaction
from moorage.metadata.identity import policies as identity_policies
from moorage.metadata.identity.tags import paths_below, tags_of, text_of


@dataclass(frozen=True, slots=True)
class Role:
    id: str
    account: str
    name: str
    path: str
    trust_policy: str
    max_session_seconds: int
    created_at: int
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        return f"arn:aws:iam::{self.account}:role{self.path}{self.name}"

    @property
    def title(self) -> str:
        return f"role {self.name!r}"


_ROLES: Final = (
    "SELECT id, account, name, path, trust_policy, max_session_seconds, created_at, description, tags FROM iam_role"
)


def insert_role(tx: Transaction, role: Role) -> None:
    tx.run(
        "INSERT INTO iam_role (id, account, name, path, trust_policy, max_session_seconds, created_at,"
        " description, tags)"
        " VALUES (:id, :account, :name, :path, :trust, :seconds, :now, :description, :tags)",
        id=role.id,
        account=role.account,
        name=role.name,
        path=role.path,
        trust=role.trust_policy,
        seconds=role.max_session_seconds,
        now=role.created_at,
        description=role.description,
        tags=text_of(role.tags),
    )


def find_role(tx: Transaction, account: str, name: str) -> Role | None:
    row = tx.one(f"{_ROLES} WHERE account = :account AND name = :name", account=account, name=name)
    return _role(row) if row else None


def find_role_by_id(tx: Transaction, role: str) -> Role | None:
    row = tx.one(f"{_ROLES} WHERE id = :id", id=role)
    return _role(row) if row else None


def list_roles(tx: Transaction, account: str) -> list[Role]:
    return [_role(row) for row in tx.all(f"{_ROLES} WHERE account = :account ORDER BY name", account=account)]


def page_of_roles(tx: Transaction, account: str, path_prefix: str, after: str, limit: int) -> list[Role]:
    """At most `limit` roles with paths that begin so and names after `after`."""
    rows = tx.all(
        f"{_ROLES} WHERE account = :account AND name > :after AND path >= :first AND path < :last"
        " ORDER BY name LIMIT :limit",
        account=account,
        after=after,
        limit=limit,
        **paths_below(path_prefix),
    )
    return [_role(row) for row in rows]


def update_role(tx: Transaction, role: Role) -> None:
    """Update trust policy, maximum session duration, description and tags; a role's other values do not change."""
    tx.run(
        "UPDATE iam_role SET trust_policy = :trust, max_session_seconds = :seconds, description = :description,"
        " tags = :tags WHERE id = :id",
        id=role.id,
        trust=role.trust_policy,
        seconds=role.max_session_seconds,
        description=role.description,
        tags=text_of(role.tags),
    )


def delete_role(tx: Transaction, role: Role) -> None:
    """Delete a role with its policies."""
    identity_policies.delete_all(tx, role.id)
    tx.run("DELETE FROM iam_role WHERE id = :id", id=role.id)


def _role(row: tuple[Any, ...]) -> Role:
    role, account, name, path, trust_policy, seconds, created_at, description, tags = row
    return Role(role, account, name, path, trust_policy, seconds, created_at, description, tags_of(tags))
