"""The replication configuration of a registry: put and get it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from moorage.domain.names import Registry
from moorage.domain.replication import rules as replication_rules
from moorage.metadata.database import Transaction
from moorage.metadata.replication import configurations


def put(tx: Transaction, registry: Registry, rules: Sequence[Mapping[str, Any]], now: int) -> None:
    """Replace the rules of a registry. They apply to later pushes and restores. Raises InvalidParameter."""
    replication_rules.check(configurations.parsed(rules), registry)
    configurations.put(tx, registry, rules, now)


def get(tx: Transaction, registry: Registry) -> list[Any]:
    """The rules of a registry as the client sent them; none if they were never put."""
    return configurations.as_sent(tx, registry)
