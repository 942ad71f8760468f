"""Rows of registry settings."""

from __future__ import annotations

from moorage.domain.names import Registry
from moorage.domain.registry.account_settings import BLOB_MOUNTING, REGISTRY_POLICY_SCOPE, default_of
from moorage.metadata.database import Transaction


def account_setting(tx: Transaction, registry: Registry, name: str) -> str:
    """The stored value, or the default."""
    row = tx.one(
        "SELECT value FROM account_setting WHERE account = :account AND region = :region AND name = :name",
        account=registry.account,
        region=registry.region,
        name=name,
    )
    return row[0] if row else default_of(name)


def put_account_setting(tx: Transaction, registry: Registry, name: str, value: str) -> None:
    tx.run(
        "INSERT INTO account_setting (account, region, name, value) VALUES (:account, :region, :name, :value)"
        " ON CONFLICT (account, region, name) DO UPDATE SET value = excluded.value",
        account=registry.account,
        region=registry.region,
        name=name,
        value=value,
    )


def registry_policy_scope(tx: Transaction, registry: Registry) -> str:
    """V2: the registry policy applies to all actions. V1: to replication, imports and the creation of repositories."""
    return account_setting(tx, registry, REGISTRY_POLICY_SCOPE)


def allows_mounting(tx: Transaction, registry: Registry) -> bool:
    """Whether clients may mount blobs from other repositories of the registry."""
    return account_setting(tx, registry, BLOB_MOUNTING) == "ENABLED"


def insert_pull_time_exclusion(tx: Transaction, registry: Registry, principal: str, now: int) -> bool:
    """Add an exclusion; False when it exists."""
    return bool(
        tx.run(
            "INSERT INTO pull_time_exclusion (account, region, principal, created_at)"
            " VALUES (:account, :region, :principal, :now) ON CONFLICT DO NOTHING",
            account=registry.account,
            region=registry.region,
            principal=principal,
            now=now,
        )
    )


def delete_pull_time_exclusion(tx: Transaction, registry: Registry, principal: str) -> bool:
    """Delete an exclusion; False when it does not exist."""
    return bool(
        tx.run(
            "DELETE FROM pull_time_exclusion WHERE account = :account AND region = :region AND principal = :principal",
            account=registry.account,
            region=registry.region,
            principal=principal,
        )
    )


def all_pull_time_exclusions(tx: Transaction, registry: Registry) -> frozenset[str]:
    """All ARNs of a registry; there are few."""
    rows = tx.all(
        "SELECT principal FROM pull_time_exclusion WHERE account = :account AND region = :region",
        account=registry.account,
        region=registry.region,
    )
    return frozenset(row[0] for row in rows)


def pull_time_exclusions(tx: Transaction, registry: Registry, after: str, limit: int) -> list[str]:
    """At most `limit` ARNs after `after`, sorted."""
    rows = tx.all(
        "SELECT principal FROM pull_time_exclusion"
        " WHERE account = :account AND region = :region AND principal > :after ORDER BY principal LIMIT :limit",
        account=registry.account,
        region=registry.region,
        after=after,
        limit=limit,
    )
    return [row[0] for row in rows]
