"""Rows for the comparison of a source registry with a destination, in pages."""

from __future__ import annotations

from typing import NamedTuple

from moorage.domain.names import Registry, RepositoryName
from moorage.metadata.database import Transaction
from moorage.metadata.replication.entries import Stream


class Tagged(NamedTuple):
    """A tag of a source repository, and the digest of its image."""

    tag: str
    digest: str


def configured_sources(tx: Transaction) -> list[Registry]:
    """The registries that have a replication configuration."""
    rows = tx.all("SELECT account, region FROM replication_configuration ORDER BY account, region")
    return [Registry(*row) for row in rows]


def configured_at(tx: Transaction, registry: Registry) -> int | None:
    """When the configuration of a registry was put; None if it has none."""
    row = tx.one(
        "SELECT changed_at FROM replication_configuration WHERE account = :account AND region = :region",
        account=registry.account,
        region=registry.region,
    )
    return row[0] if row else None


def page_of_repositories(tx: Transaction, registry: Registry, after: str, limit: int) -> list[RepositoryName]:
    """The names of the next repositories of a registry."""
    rows = tx.all(
        "SELECT name FROM repository WHERE account = :account AND region = :region AND name > :after"
        " ORDER BY name LIMIT :limit",
        account=registry.account,
        region=registry.region,
        after=after,
        limit=limit,
    )
    return [RepositoryName(row[0]) for row in rows]


def tags_to_compare(tx: Transaction, stream: Stream, since: int, after: str, limit: int) -> list[Tagged]:
    """The next tags of a repository; only of images pushed since then, or that have arrived at the destination."""
    rows = tx.all(
        "SELECT t.name, i.digest FROM repository r"
        " JOIN tag t ON t.repository_id = r.id JOIN image i ON i.id = t.image_id"
        " LEFT JOIN replicated_image c ON c.repository_id = r.id AND c.digest = i.digest"
        "   AND c.to_account = :to_account AND c.to_region = :to_region"
        " LEFT JOIN replica o ON o.repository_id = r.id AND o.digest = i.digest"
        " WHERE r.account = :account AND r.region = :region AND r.name = :name AND t.name > :after"
        "   AND i.status = 'ACTIVE' AND o.digest IS NULL AND (c.digest IS NOT NULL OR i.pushed_at >= :since)"
        " ORDER BY t.name LIMIT :limit",
        account=stream.source.account,
        region=stream.source.region,
        name=stream.repository,
        to_account=stream.destination.account,
        to_region=stream.destination.region,
        after=after,
        since=since,
        limit=limit,
    )
    return [Tagged(*row) for row in rows]
