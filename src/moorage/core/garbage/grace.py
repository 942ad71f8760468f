"""Grace periods of layers.

A client that learns that a layer exists does not upload it, and pushes the manifest minutes later. From that moment
the layer therefore stays for the grace period, even if no image references it. To save writes, a period is restarted
only after an eighth of its length, and the collector waits that eighth longer.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from moorage.core.clock import Clock
from moorage.core.limits import Limits
from moorage.core.registry import repositories
from moorage.domain.errors import Unavailable
from moorage.domain.names import Registry
from moorage.metadata.database import Database, Transaction
from moorage.metadata.registry import layers
from moorage.metadata.registry.layers import Blob

_FRACTION: Final = 8


def collectable_before(now: int, grace: int) -> int:
    """Unreferenced layers last reported to a client before this time can be collected."""
    return now - grace - grace // _FRACTION


def grace_end(reported_at: int, grace: int) -> int:
    """When a layer's grace period ends, unless it is reported to a client again."""
    return reported_at + grace + grace // _FRACTION


class GracePeriods:
    """Restarts the grace periods of layers that clients are about to learn of."""

    def __init__(self, database: Database, now: Clock, limits: Limits) -> None:
        self._database = database
        self._now = now
        self._grace = limits.grace_period

    async def renew(self, registry: Registry, repository: str, blobs: Iterable[Blob]) -> bool:
        """Restart the grace periods of these layers where due; False if one of the layers no longer exists.

        If the database is unavailable, for example because the disk is full, periods are not restarted; clients cannot
        push then either. Raises RepositoryNotFound.
        """
        now = self._now()
        due = [blob.digest for blob in blobs if blob.reported_at <= now - self._grace // _FRACTION]
        if not due:
            return True

        def restart(tx: Transaction) -> bool:
            found = repositories.get(tx, registry, repository)
            restarted = [layers.restart_grace_period(tx, found.id, digest, now) for digest in due]
            return all(restarted)

        with suppress(Unavailable):
            return await self._database.write(restart)
        return True
