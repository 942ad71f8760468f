"""Rows of copies: the images of a source that have arrived somewhere, and the images that came from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable

from moorage.domain.names import Registry
from moorage.metadata.database import Transaction
from moorage.metadata.replication.entries import Stream


def record(tx: Transaction, repository_id: int, digests: Iterable[str], destination: Registry, now: int) -> None:
    """Record that images of a source have arrived."""
    tx.run_each(
        "INSERT INTO replicated_image (repository_id, digest, to_account, to_region, copied_at)"
        " VALUES (:repository, :digest, :account, :region, :now)"
        " ON CONFLICT (repository_id, digest, to_account, to_region) DO UPDATE SET copied_at = excluded.copied_at",
        [
            {
                "repository": repository_id,
                "digest": digest,
                "account": destination.account,
                "region": destination.region,
                "now": now,
            }
            for digest in digests
        ],
    )


def destinations_of(tx: Transaction, repository_id: int, digest: str) -> list[Registry]:
    """Where an image has arrived."""
    rows = tx.all(
        "SELECT to_account, to_region FROM replicated_image WHERE repository_id = :repository AND digest = :digest"
        " ORDER BY to_account, to_region",
        repository=repository_id,
        digest=digest,
    )
    return [Registry(*row) for row in rows]


def forget(tx: Transaction, repository_id: int, digest: str) -> None:
    """Forget where an image has arrived, because it is deleted."""
    tx.run(
        "DELETE FROM replicated_image WHERE repository_id = :repository AND digest = :digest",
        repository=repository_id,
        digest=digest,
    )


# --- Replicas ---------------------------------------------------------------------------------------------------


def mark(tx: Transaction, repository_id: int, digest: str, source: Registry, now: int) -> None:
    """Mark an image as a replica."""
    tx.run(
        "INSERT INTO replica (repository_id, digest, from_account, from_region, copied_at)"
        " VALUES (:repository, :digest, :account, :region, :now) ON CONFLICT (repository_id, digest) DO NOTHING",
        repository=repository_id,
        digest=digest,
        account=source.account,
        region=source.region,
        now=now,
    )


def source_of(tx: Transaction, repository_id: int, digest: str) -> Registry | None:
    """The registry that an image is a replica from; None for an image that is not a replica."""
    row = tx.one(
        "SELECT from_account, from_region FROM replica WHERE repository_id = :repository AND digest = :digest",
        repository=repository_id,
        digest=digest,
    )
    return Registry(*row) if row else None


def other_sources(tx: Transaction, stream: Stream, digest: str) -> list[tuple[Registry, int]]:
    """The other registries of this server that have an image which arrived at the destination of a stream.

    Each comes with the id of its repository.
    """
    rows = tx.all(
        "SELECT r.account, r.region, r.id FROM replicated_image i"
        " JOIN repository r ON r.id = i.repository_id AND r.name = :name"
        " JOIN replication_configuration c ON c.account = r.account AND c.region = r.region"
        " WHERE i.digest = :digest AND i.to_account = :to_account AND i.to_region = :to_region"
        " AND NOT (r.account = :account AND r.region = :region) ORDER BY r.account, r.region",
        name=stream.repository,
        digest=digest,
        account=stream.source.account,
        region=stream.source.region,
        to_account=stream.destination.account,
        to_region=stream.destination.region,
    )
    return [(Registry(row[0], row[1]), row[2]) for row in rows]


def unmark(tx: Transaction, repository_id: int, digest: str) -> bool:
    """Remove the mark of a replica; False if the image had none."""
    sql = "DELETE FROM replica WHERE repository_id = :repository AND digest = :digest"
    return bool(tx.run(sql, repository=repository_id, digest=digest))
