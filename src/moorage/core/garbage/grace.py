"""What clients are told of layers, and for how long it holds.

A client that is told that a layer is there does not send it, and its manifest comes minutes later. So from that moment
on the layer stays for the grace period, needed or not. Not every such answer is a write: a period that began less than
an eighth ago is not begun again, and the collector waits that eighth longer.
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
    """Layers that nobody was told of since then need not be kept."""
    return now - grace - grace // _FRACTION


def grace_end(reported_at: int, grace: int) -> int:
    """How long a layer is kept that nobody is told of again."""
    return reported_at + grace + grace // _FRACTION


class GracePeriods:
    """Keeps what clients are told of layers true."""

    def __init__(self, database: Database, now: Clock, limits: Limits) -> None:
        self._database = database
        self._now = now
        self._grace = limits.grace_period

    async def renew(self, registry: Registry, repository: str, blobs: Iterable[Blob]) -> bool:
        """Begin the grace periods of these layers again where that is due; False when one of them is gone.

        With a full disk nothing is begun, and nobody can push what they were told is there either. Raises
        RepositoryNotFound.
        """
        now = self._now()
        due = [blob.digest for blob in blobs if blob.reported_at <= now - self._grace // _FRACTION]
        if not due:
            return True

        def tell(tx: Transaction) -> bool:
            found = repositories.get(tx, registry, repository)
            told = [layers.restart_grace_period(tx, found.id, digest, now) for digest in due]
            return all(told)

        with suppress(Unavailable):
            return await self._database.write(tell)
        return True
