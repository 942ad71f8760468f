"""The bytes that repositories use. Each statement reads one repository, by its index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from moorage.domain.names import Registry
from moorage.metadata.database import Transaction
from moorage.metadata.registry.repositories import NOT_DELETED


@dataclass(frozen=True, slots=True)
class Usage:
    """What a repository has. `bytes` is the size of its layers, `own_bytes` of those that no other repository has."""

    id: int
    account: str
    region: str
    name: str
    images: int
    layers: int
    bytes: int
    own_bytes: int


_LAYERS: Final = """
SELECT count(*), coalesce(sum(b.size), 0),
    coalesce(sum(CASE WHEN EXISTS (
        SELECT 1 FROM repository_layer o WHERE o.blob_id = l.blob_id AND o.repository_id <> l.repository_id
        AND NOT EXISTS (SELECT 1 FROM deleted_repository d WHERE d.repository_id = o.repository_id)
    ) THEN 0 ELSE b.size END), 0)
FROM repository_layer l JOIN blob b ON b.id = l.blob_id
WHERE l.repository_id = :repository
"""
"""Reads the layers of one repository, and for each a few rows of other repositories that have it."""


def page(tx: Transaction, after: int, limit: int) -> list[Usage]:
    """The usage of at most `limit` repositories with ids after `after`."""
    repositories = tx.all(
        "SELECT id, account, region, name, images FROM repository"
        f" WHERE id > :after AND {NOT_DELETED} ORDER BY id LIMIT :limit",
        after=after,
        limit=limit,
    )
    return [_usage(tx, row) for row in repositories]


def page_of_registry(tx: Transaction, registry: Registry, after: str, limit: int) -> list[Usage]:
    """The usage of at most `limit` repositories of a registry with names after `after`."""
    repositories = tx.all(
        "SELECT id, account, region, name, images FROM repository"
        " WHERE account = :account AND region = :region AND name > :after ORDER BY name LIMIT :limit",
        account=registry.account,
        region=registry.region,
        after=after,
        limit=limit,
    )
    return [_usage(tx, row) for row in repositories]


def _usage(tx: Transaction, row: tuple[Any, ...]) -> Usage:
    return Usage(*row, *map(int, tx.one(_LAYERS, repository=row[0]) or (0, 0, 0)))
