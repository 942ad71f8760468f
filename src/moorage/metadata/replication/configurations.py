"""Rows of replication configurations: the rules of a source registry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from moorage.bounds import bounded_cache
from moorage.domain.names import Registry
from moorage.domain.replication.rules import Rule
from moorage.metadata.database import Transaction

_CACHED_CONFIGURATIONS: Final = 256
_CHARACTERS: Final = 1 << 19
"""A configuration has at most 25 rules of 100 filters with 256 characters: 1 MiB at most, and usually 200 bytes."""

_TEXT: Final = "SELECT rules FROM replication_configuration WHERE account = :account AND region = :region"


def put(tx: Transaction, registry: Registry, rules: Sequence[Mapping[str, Any]], now: int) -> None:
    tx.run(
        "INSERT INTO replication_configuration (account, region, rules, changed_at)"
        " VALUES (:account, :region, :rules, :now)"
        " ON CONFLICT (account, region) DO UPDATE SET rules = excluded.rules, changed_at = excluded.changed_at",
        account=registry.account,
        region=registry.region,
        rules=msgspec.json.encode(rules).decode(),
        now=now,
    )


def as_sent(tx: Transaction, registry: Registry) -> list[Any]:
    """The rules of a registry as the client sent them."""
    row = tx.one(_TEXT, account=registry.account, region=registry.region)
    return msgspec.json.decode(row[0], type=list[Any]) if row else []


def rules_of(tx: Transaction, registry: Registry) -> tuple[Rule, ...]:
    row = tx.one(_TEXT, account=registry.account, region=registry.region)
    return decoded(row[0]) if row else ()


def rules_for_image(
    tx: Transaction, registry: Registry, repository_id: int, digest: str
) -> tuple[tuple[Rule, ...], bool]:
    """The rules of a registry, and whether this image of it is a replica."""
    row = tx.one(
        "SELECT (SELECT rules FROM replication_configuration WHERE account = :account AND region = :region),"
        " EXISTS (SELECT 1 FROM replica WHERE repository_id = :repository AND digest = :digest)",
        account=registry.account,
        region=registry.region,
        repository=repository_id,
        digest=digest,
    )
    text, is_replica = row or (None, False)
    return decoded(text) if text else (), bool(is_replica)


def parsed(rules: Iterable[Mapping[str, Any]]) -> tuple[Rule, ...]:
    """Rules as a request has them; the service model has checked their members."""
    return tuple(
        Rule(
            tuple(Registry(each["registryId"], each["region"]) for each in rule["destinations"]),
            tuple(each["filter"] for each in rule.get("repositoryFilters", ())),
            rule.get("deleteReplication", {}).get("enabled", False),
        )
        for rule in rules
    )


@bounded_cache(_CACHED_CONFIGURATIONS, _CHARACTERS)
def decoded(text: str) -> tuple[Rule, ...]:
    """The rules in the column `rules`."""
    return parsed(msgspec.json.decode(text))
