"""Rows of secrets and of their versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from moorage.domain.names import Registry
from moorage.domain.secrets.names import arn_of
from moorage.metadata.database import Transaction


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret without its values. `delete_at` is the end of its recovery window if it is marked for deletion."""

    id: str
    registry: Registry
    name: str
    suffix: str
    description: str
    kms_key: str | None
    tags: Mapping[str, str]
    policy: str | None
    created_at: int
    changed_at: int
    delete_at: int | None = None

    @property
    def arn(self) -> str:
        return arn_of(self.registry, self.name, self.suffix)


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a secret. `sealed_value` can be decrypted only with the master key; binary values are in base64."""

    id: str
    version: str
    sealed_value: bytes = field(repr=False)
    is_binary: bool
    stages: tuple[str, ...]
    created_at: int


_ROW: Final = "id, account, region, name, suffix, description, kms_key, tags, policy, created_at, changed_at, delete_at"
_VERSION_ROW: Final = "id, version, sealed_secret, is_binary, stages, created_at"


def insert(tx: Transaction, secret: Secret) -> bool:
    """Add a secret; False when the registry has one with that name."""
    return bool(
        tx.run(
            f"INSERT INTO secret ({_ROW}) VALUES (:id, :account, :region, :name, :suffix, :description, :kms_key,"
            " :tags, :policy, :created_at, :changed_at, :delete_at) ON CONFLICT DO NOTHING",
            **_row(secret),
        )
    )


def update(tx: Transaction, secret: Secret) -> None:
    """Store everything of a secret that can change."""
    tx.run(
        "UPDATE secret SET description = :description, kms_key = :kms_key, tags = :tags, policy = :policy,"
        " changed_at = :changed_at, delete_at = :delete_at WHERE id = :id",
        **{name: value for name, value in _row(secret).items() if name in _CHANGEABLE},
    )


def find(tx: Transaction, registry: Registry, name: str) -> Secret | None:
    row = tx.one(
        f"SELECT {_ROW} FROM secret WHERE account = :account AND region = :region AND name = :name",
        account=registry.account,
        region=registry.region,
        name=name,
    )
    return _secret(row) if row else None


def page(tx: Transaction, registry: Registry, after: str, limit: int) -> list[Secret]:
    """At most `limit` secrets with names after `after`, sorted by name."""
    rows = tx.all(
        f"SELECT {_ROW} FROM secret WHERE account = :account AND region = :region AND name > :after"
        " ORDER BY name LIMIT :limit",
        account=registry.account,
        region=registry.region,
        after=after,
        limit=limit,
    )
    return [_secret(row) for row in rows]


def count(tx: Transaction, registry: Registry, limit: int) -> int:
    """The number of secrets of a registry, counted up to `limit`."""
    row = tx.one(
        "SELECT count(*) FROM"
        " (SELECT 1 FROM secret WHERE account = :account AND region = :region LIMIT :limit) AS counted",
        account=registry.account,
        region=registry.region,
        limit=limit,
    )
    return row[0] if row else 0


def delete(tx: Transaction, secret: Secret) -> None:
    """Delete a secret with all its versions."""
    tx.run("DELETE FROM secret WHERE id = :id", id=secret.id)


def delete_due(tx: Transaction, now: int, limit: int) -> int:
    """Delete at most `limit` secrets whose recovery window is over; returns how many."""
    return tx.run(
        "DELETE FROM secret"
        " WHERE id IN (SELECT id FROM secret WHERE delete_at <= :now ORDER BY delete_at LIMIT :limit)",
        now=now,
        limit=limit,
    )


def insert_version(tx: Transaction, secret: Secret, version: Version) -> None:
    tx.run(
        "INSERT INTO secret_version (id, secret_id, version, sealed_secret, is_binary, stages, created_at)"
        " VALUES (:id, :secret, :version, :sealed, :is_binary, :stages, :now)",
        id=version.id,
        secret=secret.id,
        version=version.version,
        sealed=version.sealed_value,
        is_binary=int(version.is_binary),
        stages=_encoded(version.stages),
        now=version.created_at,
    )


def versions(tx: Transaction, secret: Secret) -> list[Version]:
    """All versions of a secret, oldest first; there are few."""
    rows = tx.all(
        f"SELECT {_VERSION_ROW} FROM secret_version WHERE secret_id = :id ORDER BY created_at, version",
        id=secret.id,
    )
    return [_version(row) for row in rows]


def set_stages(tx: Transaction, version: Version, stages: tuple[str, ...]) -> None:
    tx.run("UPDATE secret_version SET stages = :stages WHERE id = :id", id=version.id, stages=_encoded(stages))


def delete_version(tx: Transaction, version: Version) -> None:
    tx.run("DELETE FROM secret_version WHERE id = :id", id=version.id)


_CHANGEABLE: Final = {"id", "description", "kms_key", "tags", "policy", "changed_at", "delete_at"}


def _row(secret: Secret) -> dict[str, Any]:
    return {
        "id": secret.id,
        "account": secret.registry.account,
        "region": secret.registry.region,
        "name": secret.name,
        "suffix": secret.suffix,
        "description": secret.description,
        "kms_key": secret.kms_key,
        "tags": _encoded(secret.tags),
        "policy": secret.policy,
        "created_at": secret.created_at,
        "changed_at": secret.changed_at,
        "delete_at": secret.delete_at,
    }


def _secret(row: tuple[Any, ...]) -> Secret:
    key, account, region, name, suffix, description, kms_key, tags, *rest = row
    registry = Registry(account, region)
    decoded = msgspec.json.decode(tags, type=dict[str, str])
    return Secret(key, registry, name, suffix, description, kms_key, decoded, *rest)


def _version(row: tuple[Any, ...]) -> Version:
    key, version, sealed, is_binary, stages, created_at = row
    decoded = tuple(msgspec.json.decode(stages, type=list[str]))
    return Version(key, version, bytes(sealed), bool(is_binary), decoded, created_at)


def _encoded(value: object) -> str:
    return msgspec.json.encode(value).decode()
