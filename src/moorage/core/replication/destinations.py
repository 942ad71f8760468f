"""Destinations: where the images of a stream are brought, and how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from moorage.core.limits import Limits
from moorage.domain.names import Registry
from moorage.metadata.database import Transaction
from moorage.metadata.identity import accounts
from moorage.metadata.replication import destinations
from moorage.metadata.replication.entries import Entry, Stream


class Busy(Exception):
    """The destination gets as many streams at once as it may. This one waits for its turn."""


class Destination(Protocol):
    """A kind of destination."""

    async def replicate(self, stream: Stream, batch: Sequence[Entry]) -> None:
        """Replicate the entries, and save each result (`outcomes.py`): success, or the reason of a failure.

        An entry names what changed at the source. What to do depends on the present state of the source: an image that
        is gone is not copied, and one that exists again is not deleted. So an entry can be replicated twice. The images
        that an index lists arrive before the index, and a tag after its image.

        Raises JobFailed or Unavailable for temporary failures: entries without a result are then retried later. Raises
        Busy if the entries should be retried soon, without counting a failure.
        """


@dataclass(frozen=True, slots=True)
class Destinations:
    """Finds the destination for a registry."""

    limits: Limits
    within_server: Destination
    remote: Destination

    def find(self, tx: Transaction, registry: Registry) -> Destination | None:
        """The destination that the operator set; else the registry of this server, or None if there is none."""
        if destinations.find(tx, registry) is not None:
            return self.remote
        if accounts.has_account(tx, registry.account) and self.limits.regions.include(registry.region):
            return self.within_server
        return None
