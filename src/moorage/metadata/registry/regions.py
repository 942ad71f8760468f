"""The Regions in which an account has a registry with rows of its own."""

from __future__ import annotations

from typing import Final

from moorage.metadata.database import Transaction

_TABLES: Final = (
    "repository",
    "account_setting",
    "pull_time_exclusion",
    "registry_policy",
    "repository_template",
    "pull_through_rule",
    "signing_configuration",
    "registry_scanning",
    "replication_configuration",
)


def of_account(tx: Transaction, account: str) -> list[str]:
    """The Regions in which the account has a repository or a setting, sorted."""
    parts = [f"SELECT region FROM {table} WHERE account = :account" for table in _TABLES]
    return sorted(row[0] for row in tx.all(" UNION ".join(parts), account=account))
