"""Events of replication, in the registry of the destination (ECR user guide, "Amazon ECR events").

The destination has the events of a push, too: an image arrived.
"""

from __future__ import annotations

from collections.abc import Sequence

from moorage.core.events import record as events
from moorage.core.events.record import Event
from moorage.metadata.database import Transaction
from moorage.metadata.replication.entries import Stream


def record(
    tx: Transaction, stream: Stream, digest: str, tags: Sequence[str], now: int, *, failed: bool = False
) -> None:
    """An image was replicated or could not be: one event for each tag, or one with an empty tag."""
    arn = stream.destination.repository_arn(stream.repository)
    for tag in tags or ("",):
        detail = {
            "result": "FAILED" if failed else "SUCCESS",
            "repository-name": stream.repository,
            "image-digest": digest,
            "source-account": stream.source.account,
            "action-type": events.REPLICATE,
            "source-region": stream.source.region,
            "image-tag": tag,
        }
        event = Event(events.REPLICATE, "ECR Replication Action", stream.destination, arn, now, detail, (arn,))
        events.record(tx, event)
