"""Counters, updated in the same transaction as the rows they count, so that a quota check reads one row."""

from __future__ import annotations

from typing import Final

from moorage.domain.names import Registry
from moorage.metadata.database import Transaction

ADD_IMAGE: Final = "UPDATE repository SET images = images + 1 WHERE id = :repository RETURNING images"
"""Counts a new image of a repository; returns how many it has now."""


def remove_image(tx: Transaction, image_id: int) -> None:
    """Count one image less in the repository of an image; call this before the image is deleted."""
    tx.run(
        "UPDATE repository SET images = images - 1 WHERE id = (SELECT repository_id FROM image WHERE id = :image)",
        image=image_id,
    )


def add_repository(tx: Transaction, registry: Registry) -> None:
    tx.run(
        "INSERT INTO registry_count (account, region, repositories) VALUES (:account, :region, 1)"
        " ON CONFLICT (account, region) DO UPDATE SET repositories = registry_count.repositories + 1",
        account=registry.account,
        region=registry.region,
    )


def remove_repository(tx: Transaction, registry: Registry) -> None:
    tx.run(
        "UPDATE registry_count SET repositories = repositories - 1 WHERE account = :account AND region = :region",
        account=registry.account,
        region=registry.region,
    )


def repositories_of(tx: Transaction, registry: Registry) -> int:
    row = tx.one(
        "SELECT repositories FROM registry_count WHERE account = :account AND region = :region",
        account=registry.account,
        region=registry.region,
    )
    return int(row[0]) if row else 0
