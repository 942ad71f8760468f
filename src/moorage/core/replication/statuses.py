"""What became of an image's replication, for DescribeImageReplicationStatus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from moorage.domain.names import Registry
from moorage.metadata.database import Transaction
from moorage.metadata.registry.repositories import Repository
from moorage.metadata.replication import copies, entries


@dataclass(frozen=True, slots=True)
class ImageStatus:
    """The status of an image at one destination; `failure_code` only if it failed."""

    destination: Registry
    status: Literal["IN_PROGRESS", "COMPLETE", "FAILED"]
    failure_code: str | None = None


def of_image(tx: Transaction, repository: Repository, digest: str) -> list[ImageStatus]:
    """One status for each destination; none for an image that no rule was for when it was pushed, and no backfill.

    The tags of an image are replicated one by one. Its status is FAILED if one of them failed, and IN_PROGRESS while
    one of them waits.
    """
    found = {
        registry: ImageStatus(registry, "COMPLETE") for registry in copies.destinations_of(tx, repository.id, digest)
    }
    unfinished = entries.of_image(tx, repository.registry, repository.name, digest)
    for registry, code in sorted(unfinished, key=lambda each: each[1] is None):
        found[registry] = ImageStatus(registry, "FAILED" if code else "IN_PROGRESS", code)
    return [found[registry] for registry in sorted(found, key=lambda each: (each.region, each.account))]
