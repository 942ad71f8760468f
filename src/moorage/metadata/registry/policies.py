"""Rows of resource policies: of repositories and of registries."""

from __future__ import annotations

from dataclasses import dataclass

from moorage.domain.names import Registry
from moorage.metadata.database import Transaction


@dataclass(frozen=True, slots=True)
class AttachedPolicies:
    """The policies of a repository and its registry. `exists`: whether the repository exists."""

    exists: bool
    repository: str | None
    registry: str | None


_ATTACHED = """
SELECT (SELECT p.text FROM registry_policy p WHERE p.account = :account AND p.region = :region),
       r.id,
       (SELECT p.text FROM repository_policy p WHERE p.repository_id = r.id)
FROM (SELECT 1) AS always LEFT JOIN repository r
  ON r.account = :account AND r.region = :region AND r.name = :name
"""


def attached(tx: Transaction, registry: Registry, repository: str) -> AttachedPolicies:
    """Both policies in one lookup, because every request needs them. The repository need not exist."""
    row = tx.one(_ATTACHED, account=registry.account, region=registry.region, name=repository)
    return AttachedPolicies(False, None, None) if row is None else AttachedPolicies(row[1] is not None, row[2], row[0])


def find_repository_policy(tx: Transaction, repository: int) -> str | None:
    row = tx.one("SELECT text FROM repository_policy WHERE repository_id = :id", id=repository)
    return row[0] if row else None


def put_repository_policy(tx: Transaction, repository: int, text: str) -> None:
    tx.run(
        "INSERT INTO repository_policy (repository_id, text) VALUES (:id, :text)"
        " ON CONFLICT (repository_id) DO UPDATE SET text = excluded.text",
        id=repository,
        text=text,
    )


def delete_repository_policy(tx: Transaction, repository: int) -> None:
    tx.run("DELETE FROM repository_policy WHERE repository_id = :id", id=repository)


def find_registry_policy(tx: Transaction, registry: Registry) -> str | None:
    row = tx.one(
        "SELECT text FROM registry_policy WHERE account = :account AND region = :region",
        account=registry.account,
        region=registry.region,
    )
    return row[0] if row else None


def put_registry_policy(tx: Transaction, registry: Registry, text: str) -> None:
    tx.run(
        "INSERT INTO registry_policy (account, region, text) VALUES (:account, :region, :text)"
        " ON CONFLICT (account, region) DO UPDATE SET text = excluded.text",
        account=registry.account,
        region=registry.region,
        text=text,
    )


def delete_registry_policy(tx: Transaction, registry: Registry) -> None:
    tx.run(
        "DELETE FROM registry_policy WHERE account = :account AND region = :region",
        account=registry.account,
        region=registry.region,
    )
