"""Rows of pull-through cache rules."""

from __future__ import annotations

from typing import Any, Final

from moorage.domain.names import Registry
from moorage.domain.pull_through.rules import Rule
from moorage.domain.repository_prefixes import key_of
from moorage.metadata.database import Transaction

_VALUES: Final = "given, url, kind, upstream_prefix, credential_arn, role, refresh, created_at, updated_at"
_PARAMETERS: Final = ":given, :url, :kind, :upstream_prefix, :credential_arn, :role, :refresh, :created_at, :updated_at"


def insert(tx: Transaction, registry: Registry, rule: Rule) -> bool:
    """Add a rule; False when the registry has one for the prefix."""
    return bool(
        tx.run(
            f"INSERT INTO pull_through_rule (account, region, prefix, {_VALUES})"
            f" VALUES (:account, :region, :prefix, {_PARAMETERS}) ON CONFLICT DO NOTHING",
            **_place(registry, rule.key),
            **_row(rule),
        )
    )


def update(tx: Transaction, registry: Registry, rule: Rule) -> None:
    """Replace all values of the rule with that prefix."""
    tx.run(
        f"UPDATE pull_through_rule SET ({_VALUES}) = ({_PARAMETERS})"
        " WHERE account = :account AND region = :region AND prefix = :prefix",
        **_place(registry, rule.key),
        **_row(rule),
    )


def find(tx: Transaction, registry: Registry, prefix: str) -> Rule | None:
    row = tx.one(
        f"SELECT {_VALUES} FROM pull_through_rule WHERE account = :account AND region = :region AND prefix = :prefix",
        **_place(registry, key_of(prefix)),
    )
    return Rule(*row) if row else None


def page(tx: Transaction, registry: Registry, after: str, limit: int) -> list[Rule]:
    """At most `limit` rules with prefixes after `after`, sorted by prefix."""
    rows = tx.all(
        f"SELECT {_VALUES} FROM pull_through_rule"
        " WHERE account = :account AND region = :region AND prefix > :prefix ORDER BY prefix LIMIT :limit",
        **_place(registry, after),
        limit=limit,
    )
    return [Rule(*row) for row in rows]


def list_all(tx: Transaction, registry: Registry) -> list[Rule]:
    """All rules of a registry; there are few."""
    rows = tx.all(
        f"SELECT {_VALUES} FROM pull_through_rule WHERE account = :account AND region = :region ORDER BY prefix",
        account=registry.account,
        region=registry.region,
    )
    return [Rule(*row) for row in rows]


def delete(tx: Transaction, registry: Registry, prefix: str) -> None:
    tx.run(
        "DELETE FROM pull_through_rule WHERE account = :account AND region = :region AND prefix = :prefix",
        **_place(registry, key_of(prefix)),
    )


def _place(registry: Registry, prefix: str) -> dict[str, str]:
    return {"account": registry.account, "region": registry.region, "prefix": prefix}


def _row(rule: Rule) -> dict[str, Any]:
    return {
        "given": rule.prefix,
        "url": rule.url,
        "kind": rule.kind,
        "upstream_prefix": rule.upstream_prefix,
        "credential_arn": rule.credential_arn,
        "role": rule.role,
        "refresh": rule.refresh,
        "created_at": rule.created_at,
        "updated_at": rule.updated_at,
    }
