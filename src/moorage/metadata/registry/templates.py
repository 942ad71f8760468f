"""Rows of repository creation templates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from moorage.domain.names import Registry
from moorage.domain.repository_prefixes import key_of
from moorage.metadata.database import Transaction


@dataclass(frozen=True, slots=True)
class Template:
    """A repository creation template as the client wrote it, with the times of its row."""

    prefix: str
    applied_for: tuple[str, ...]
    description: str | None = None
    tag_mutability: str = "MUTABLE"
    exclusion_filters: tuple[str, ...] = ()
    encryption_type: str = "AES256"
    kms_key: str | None = None
    resource_tags: Mapping[str, str] = field(default_factory=dict)
    repository_policy: str | None = None
    lifecycle_policy: str | None = None
    role: str | None = None
    created_at: int = 0
    updated_at: int = 0

    @property
    def key(self) -> str:
        """The prefix used for look-up: a trailing slash makes no difference (user guide, "Prefix")."""
        return key_of(self.prefix)


_VALUES: Final = """
    given, applied_for, description, tag_mutability, exclusion_filters, encryption_type, kms_key, resource_tags,
    repository_policy, lifecycle_policy, role, created_at, updated_at
"""
_PARAMETERS: Final = ", ".join(f":{name.strip()}" for name in _VALUES.split(","))


def insert(tx: Transaction, registry: Registry, template: Template) -> bool:
    """Add a template; False when the registry has one for the prefix."""
    return bool(
        tx.run(
            f"INSERT INTO repository_template (account, region, prefix, {_VALUES})"
            f" VALUES (:account, :region, :prefix, {_PARAMETERS}) ON CONFLICT DO NOTHING",
            **_place(registry, template.key),
            **_row(template),
        )
    )


def update(tx: Transaction, registry: Registry, template: Template) -> None:
    """Replace all values of the template with that prefix."""
    tx.run(
        f"UPDATE repository_template SET ({_VALUES}) = ({_PARAMETERS})"
        " WHERE account = :account AND region = :region AND prefix = :prefix",
        **_place(registry, template.key),
        **_row(template),
    )


def find(tx: Transaction, registry: Registry, prefix: str) -> Template | None:
    row = tx.one(
        f"SELECT {_VALUES} FROM repository_template WHERE account = :account AND region = :region AND prefix = :prefix",
        **_place(registry, key_of(prefix)),
    )
    return _template(row) if row else None


def page(tx: Transaction, registry: Registry, after: str, limit: int) -> list[Template]:
    """At most `limit` templates with prefixes after `after`, sorted by prefix."""
    rows = tx.all(
        f"SELECT {_VALUES} FROM repository_template"
        " WHERE account = :account AND region = :region AND prefix > :prefix ORDER BY prefix LIMIT :limit",
        **_place(registry, after),
        limit=limit,
    )
    return [_template(row) for row in rows]


def list_all(tx: Transaction, registry: Registry) -> list[Template]:
    """All templates of a registry; there are few."""
    rows = tx.all(
        f"SELECT {_VALUES} FROM repository_template WHERE account = :account AND region = :region ORDER BY prefix",
        account=registry.account,
        region=registry.region,
    )
    return [_template(row) for row in rows]


def delete(tx: Transaction, registry: Registry, prefix: str) -> None:
    tx.run(
        "DELETE FROM repository_template WHERE account = :account AND region = :region AND prefix = :prefix",
        **_place(registry, key_of(prefix)),
    )


def _place(registry: Registry, prefix: str) -> dict[str, str]:
    return {"account": registry.account, "region": registry.region, "prefix": prefix}


def _row(template: Template) -> dict[str, Any]:
    return {
        "given": template.prefix,
        "applied_for": _encoded(template.applied_for),
        "description": template.description,
        "tag_mutability": template.tag_mutability,
        "exclusion_filters": _encoded(template.exclusion_filters),
        "encryption_type": template.encryption_type,
        "kms_key": template.kms_key,
        "resource_tags": _encoded(template.resource_tags),
        "repository_policy": template.repository_policy,
        "lifecycle_policy": template.lifecycle_policy,
        "role": template.role,
        "created_at": template.created_at,
        "updated_at": template.updated_at,
    }


def _template(row: tuple[Any, ...]) -> Template:
    prefix, applied_for, description, mutability, filters, encryption, kms_key, tags, *rest = row
    return Template(
        prefix,
        tuple(msgspec.json.decode(applied_for, type=list[str])),
        description,
        mutability,
        tuple(msgspec.json.decode(filters, type=list[str])),
        encryption,
        kms_key,
        msgspec.json.decode(tags, type=dict[str, str]),
        *rest,
    )


def _encoded(value: object) -> str:
    return msgspec.json.encode(value).decode()
