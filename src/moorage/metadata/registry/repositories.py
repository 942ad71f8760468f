"""Rows of repositories, with their settings and resource tags."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from moorage.domain.names import Registry, RepositoryName
from moorage.metadata.database import Transaction
from moorage.metadata.registry import counts


@dataclass(frozen=True, slots=True)
class RepositorySettings:
    """The settings of CreateRepository. `exclusion_filters` are wildcard filters for tags."""

    tag_mutability: str = "MUTABLE"
    exclusion_filters: tuple[str, ...] = ()
    scan_on_push: bool = False
    encryption_type: str = "AES256"
    kms_key: str | None = None


@dataclass(frozen=True, slots=True)
class Repository:
    id: int
    registry: Registry
    name: RepositoryName
    created_at: int
    settings: RepositorySettings

    @property
    def arn(self) -> str:
        return self.registry.repository_arn(self.name)


_COLUMNS = """
    id, account, region, name, created_at, tag_mutability, exclusion_filters, scan_on_push, encryption_type, kms_key
"""


NOT_DELETED: Final = "account <> ''"
"""A condition on a row of `repository`. One that is being deleted has no account any more (`hide`)."""


def insert(
    tx: Transaction, registry: Registry, name: RepositoryName, settings: RepositorySettings, now: int
) -> Repository | None:
    """Add a repository; None when the registry has one with that name."""
    changed = tx.run(
        f"INSERT INTO repository ({_COLUMNS.replace('id, ', '', 1)}) VALUES"
        " (:account, :region, :name, :now, :mutability, :filters, :scan, :encryption, :kms_key) ON CONFLICT DO NOTHING",
        account=registry.account,
        region=registry.region,
        name=name,
        now=now,
        mutability=settings.tag_mutability,
        filters=_encoded(settings.exclusion_filters),
        scan=int(settings.scan_on_push),
        encryption=settings.encryption_type,
        kms_key=settings.kms_key,
    )
    if not changed:
        return None
    counts.add_repository(tx, registry)
    return find(tx, registry, name)


def find(tx: Transaction, registry: Registry, name: str) -> Repository | None:
    row = tx.one(
        f"SELECT {_COLUMNS} FROM repository WHERE account = :account AND region = :region AND name = :name",
        account=registry.account,
        region=registry.region,
        name=name,
    )
    return _repository(row) if row else None


def find_by_id(tx: Transaction, repository_id: int) -> Repository | None:
    row = tx.one(f"SELECT {_COLUMNS} FROM repository WHERE id = :id AND {NOT_DELETED}", id=repository_id)
    return _repository(row) if row else None


def page_with_policies(
    tx: Transaction, registry: Registry, after: str, limit: int
) -> list[tuple[Repository, str | None]]:
    """At most `limit` repositories with names after `after` and their policies, sorted by name."""
    return _with_policies(
        tx,
        "name > :after ORDER BY name",
        account=registry.account,
        region=registry.region,
        after=after,
        limit=limit,
    )


def all_with_policies(tx: Transaction, registry: Registry) -> Iterator[tuple[Repository, str | None]]:
    """All repositories and their policies, sorted by name. Those that were read may be deleted meanwhile."""
    after = ""
    while page := page_with_policies(tx, registry, after, _READ_AT_ONCE):
        yield from page
        after = page[-1][0].name


_READ_AT_ONCE: Final = 1000


def named_between(
    tx: Transaction, registry: Registry, names: tuple[str, str], limit: int, *, descending: bool
) -> list[tuple[Repository, str | None]]:
    """At most `limit` repositories, with policies, whose names are not before the first and before the second."""
    return _with_policies(
        tx,
        f"name >= :first AND name < :before ORDER BY name {_DIRECTIONS[descending]}",
        account=registry.account,
        region=registry.region,
        first=names[0],
        before=names[1],
        limit=limit,
    )


def by_creation(
    tx: Transaction, registry: Registry, after: tuple[int, int], limit: int, *, descending: bool
) -> list[tuple[Repository, str | None]]:
    """At most `limit` repositories, with policies, in the order of time and id of their creation behind `after`."""
    direction = _DIRECTIONS[descending]
    return _with_policies(
        tx,
        f"(created_at, id) {'<' if descending else '>'} (:created_at, :id)"
        f" ORDER BY created_at {direction}, id {direction}",
        account=registry.account,
        region=registry.region,
        created_at=after[0],
        id=after[1],
        limit=limit,
    )


_DIRECTIONS: Final = {False: "ASC", True: "DESC"}


def _with_policies(tx: Transaction, condition: str, **values: Any) -> list[tuple[Repository, str | None]]:
    """Repositories of a registry with their policies; the condition has an order, too."""
    rows = tx.all(
        f"SELECT {_COLUMNS}, text FROM repository LEFT JOIN repository_policy ON repository_id = id"
        f" WHERE account = :account AND region = :region AND {condition} LIMIT :limit",
        **values,
    )
    return [(_repository(row[:-1]), row[-1]) for row in rows]


def hide(tx: Transaction, repository: Repository) -> None:
    """Free the name of a repository that is deleted: from now on, only what goes by its id finds its row."""
    hidden = f"UPDATE repository SET account = '', region = CAST(id AS TEXT) WHERE id = :id AND {NOT_DELETED}"
    if tx.run(hidden, id=repository.id):
        counts.remove_repository(tx, repository.registry)


def remove(tx: Transaction, repository_id: int) -> None:
    """Delete the row of a hidden repository with all rows that are left; the collector deletes its layers' bytes."""
    tx.run("DELETE FROM repository WHERE id = :id", id=repository_id)


def has_images(tx: Transaction, repository: Repository) -> bool:
    return tx.one("SELECT 1 FROM image WHERE repository_id = :id LIMIT 1", id=repository.id) is not None


def set_tag_mutability(tx: Transaction, repository: Repository, mutability: str, filters: tuple[str, ...]) -> None:
    tx.run(
        "UPDATE repository SET tag_mutability = :mutability, exclusion_filters = :filters WHERE id = :id",
        id=repository.id,
        mutability=mutability,
        filters=_encoded(filters),
    )


def set_scan_on_push(tx: Transaction, repository: Repository, scan_on_push: bool) -> None:
    tx.run("UPDATE repository SET scan_on_push = :scan WHERE id = :id", id=repository.id, scan=int(scan_on_push))


def resource_tags(tx: Transaction, repository: Repository) -> dict[str, str]:
    rows = tx.all("SELECT key, value FROM resource_tag WHERE repository_id = :id ORDER BY key", id=repository.id)
    return dict(rows)


def put_resource_tag(tx: Transaction, repository: Repository, key: str, value: str) -> None:
    tx.run(
        "INSERT INTO resource_tag (repository_id, key, value) VALUES (:id, :key, :value)"
        " ON CONFLICT (repository_id, key) DO UPDATE SET value = excluded.value",
        id=repository.id,
        key=key,
        value=value,
    )


def delete_resource_tag(tx: Transaction, repository: Repository, key: str) -> None:
    tx.run("DELETE FROM resource_tag WHERE repository_id = :id AND key = :key", id=repository.id, key=key)


def _repository(row: tuple[Any, ...]) -> Repository:
    id_, account, region, name, created_at, mutability, filters, scan, encryption, kms_key = row
    settings = RepositorySettings(
        tag_mutability=mutability,
        exclusion_filters=tuple(msgspec.json.decode(filters, type=list[str])) if filters != "[]" else (),
        scan_on_push=bool(scan),
        encryption_type=encryption,
        kms_key=kms_key,
    )
    return Repository(id_, Registry(account, region), RepositoryName(name), created_at, settings)


def _encoded(filters: tuple[str, ...]) -> str:
    return msgspec.json.encode(filters).decode()
