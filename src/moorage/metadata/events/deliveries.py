"""Rows of deliveries: events that wait for a target, or that failed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from moorage.metadata.database import Transaction


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one target. Deliveries of a `stream` are sent in the order of their ids.

    `body` is the event in EventBridge's shape for all targets. The sender converts it to the target's format.
    `error` is None while the delivery waits, and the reason once it has failed.
    """

    id: int
    target_id: str
    stream: str
    event_id: str
    body: str
    recorded_at: int
    error: str | None = None


_COLUMNS = "id, webhook_id, stream, event_id, body, recorded_at, error"


def insert(tx: Transaction, delivery: Delivery) -> None:
    """Queue a delivery. The database chooses its id."""
    tx.run(
        "INSERT INTO delivery (webhook_id, stream, event_id, body, recorded_at)"
        " VALUES (:target, :stream, :event, :body, :recorded_at)",
        target=delivery.target_id,
        stream=delivery.stream,
        event=delivery.event_id,
        body=delivery.body,
        recorded_at=delivery.recorded_at,
    )


def waiting(tx: Transaction, target_id: str, stream: str, limit: int) -> list[Delivery]:
    """The next deliveries of a stream, in order."""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM delivery"
        " WHERE webhook_id = :target AND stream = :stream AND error IS NULL ORDER BY id LIMIT :limit",
        target=target_id,
        stream=stream,
        limit=limit,
    )
    return [Delivery(*row) for row in rows]


def waiting_streams(tx: Transaction, target_id: str) -> list[str]:
    """The streams that have deliveries waiting for a target."""
    rows = tx.all(
        "SELECT DISTINCT stream FROM delivery WHERE webhook_id = :target AND error IS NULL ORDER BY stream",
        target=target_id,
    )
    return [row[0] for row in rows]


def failed(tx: Transaction, target_id: str) -> list[Delivery]:
    """The failed deliveries of a target, in order."""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM delivery WHERE webhook_id = :target AND error IS NOT NULL ORDER BY id",
        target=target_id,
    )
    return [Delivery(*row) for row in rows]


def page(tx: Transaction, target_id: str, after: tuple[str, int], limit: int) -> list[Delivery]:
    """At most `limit` deliveries of a target behind a stream and id, in their order. Those that wait have no body."""
    rows = tx.all(
        "SELECT id, webhook_id, stream, event_id, CASE WHEN error IS NULL THEN '' ELSE body END, recorded_at, error"
        " FROM delivery WHERE webhook_id = :target AND (stream, id) > (:stream, :id) ORDER BY stream, id LIMIT :limit",
        target=target_id,
        stream=after[0],
        id=after[1],
        limit=limit,
    )
    return [Delivery(*row) for row in rows]


def count_some(tx: Transaction, target_id: str, limit: int) -> tuple[int, int]:
    """The numbers of waiting and of failed deliveries among the first `limit` of a target."""
    row = tx.one(
        "SELECT count(*), count(error)"
        " FROM (SELECT error FROM delivery WHERE webhook_id = :target LIMIT :limit) counted",
        target=target_id,
        limit=limit,
    )
    return (row[0] - row[1], row[1]) if row else (0, 0)


def count(tx: Transaction, target_id: str) -> tuple[int, int]:
    """The numbers of waiting and of failed deliveries of a target."""
    row = tx.one("SELECT count(*), count(error) FROM delivery WHERE webhook_id = :target", target=target_id)
    return (row[0] - row[1], row[1]) if row else (0, 0)


def remove(tx: Transaction, accepted: Iterable[Delivery]) -> None:
    for delivery in accepted:
        tx.run("DELETE FROM delivery WHERE id = :id", id=delivery.id)


def fail(tx: Transaction, delivery: Delivery, error: str) -> None:
    tx.run("UPDATE delivery SET error = :error WHERE id = :id", id=delivery.id, error=error)


def fail_stream(tx: Transaction, target_id: str, stream: str, error: str) -> None:
    """Fail all waiting deliveries of a stream."""
    tx.run(
        "UPDATE delivery SET error = :error WHERE webhook_id = :target AND stream = :stream AND error IS NULL",
        target=target_id,
        stream=stream,
        error=error,
    )


def wait_again(tx: Transaction, delivery: Delivery) -> None:
    """Undo `fail`: the delivery returns to its old place in its stream."""
    tx.run("UPDATE delivery SET error = NULL WHERE id = :id", id=delivery.id)


def remove_failed(tx: Transaction, before: int) -> int:
    """Remove failed deliveries that were recorded before that time (microseconds); returns how many."""
    return tx.run("DELETE FROM delivery WHERE recorded_at < :before AND error IS NOT NULL", before=before)
