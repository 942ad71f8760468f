"""Rows of signing configurations, and of requirements that images are signed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from moorage.bounds import bounded_cache
from moorage.domain.names import Registry
from moorage.domain.signing.rules import SigningRule
from moorage.metadata.database import Transaction


def find(tx: Transaction, registry: Registry) -> tuple[SigningRule, ...] | None:
    """The rules of a registry."""
    row = tx.one(
        "SELECT rules FROM signing_configuration WHERE account = :account AND region = :region",
        account=registry.account,
        region=registry.region,
    )
    return decoded(row[0]) if row else None


def put(tx: Transaction, registry: Registry, rules: Sequence[SigningRule]) -> None:
    tx.run(
        "INSERT INTO signing_configuration (account, region, rules) VALUES (:account, :region, :rules)"
        " ON CONFLICT (account, region) DO UPDATE SET rules = excluded.rules",
        account=registry.account,
        region=registry.region,
        rules=msgspec.json.encode(rules).decode(),
    )


def delete(tx: Transaction, registry: Registry) -> None:
    tx.run(
        "DELETE FROM signing_configuration WHERE account = :account AND region = :region",
        account=registry.account,
        region=registry.region,
    )


@bounded_cache(entries=1024, size=1 << 20)
def decoded(text: str) -> tuple[SigningRule, ...]:
    """The rules in the column `rules`."""
    return msgspec.json.decode(text, type=tuple[SigningRule, ...])


@dataclass(frozen=True, slots=True)
class Requirement:
    """Images of repositories with such a name need a signature: by a profile (its ARN) or by a public key (PEM)."""

    id: str
    registry: Registry
    filter: str
    kind: str
    trusted: str
    created_at: int


def insert_requirement(tx: Transaction, requirement: Requirement) -> None:
    tx.run(
        "INSERT INTO signature_requirement (id, account, region, filter, kind, trusted, created_at)"
        " VALUES (:id, :account, :region, :filter, :kind, :trusted, :created_at)",
        id=requirement.id,
        account=requirement.registry.account,
        region=requirement.registry.region,
        filter=requirement.filter,
        kind=requirement.kind,
        trusted=requirement.trusted,
        created_at=requirement.created_at,
    )


def requirements_of(tx: Transaction, registry: Registry) -> tuple[Requirement, ...]:
    """All requirements of a registry, the oldest first; there are few."""
    rows = tx.all(
        "SELECT id, filter, kind, trusted, created_at FROM signature_requirement"
        " WHERE account = :account AND region = :region ORDER BY created_at, id",
        account=registry.account,
        region=registry.region,
    )
    return tuple(Requirement(row[0], registry, *row[1:]) for row in rows)


def delete_requirement(tx: Transaction, registry: Registry, requirement_id: str) -> bool:
    """Remove a requirement; False when there is none with that id."""
    return bool(
        tx.run(
            "DELETE FROM signature_requirement WHERE id = :id AND account = :account AND region = :region",
            id=requirement_id,
            account=registry.account,
            region=registry.region,
        )
    )
