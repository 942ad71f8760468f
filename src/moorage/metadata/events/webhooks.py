"""Rows of webhooks, and of the events that are on their way to them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from moorage.metadata.database import Transaction


@dataclass(frozen=True, slots=True)
class Webhook:
    """A receiver of events, and the names of those that it wants."""

    id: str
    url: str
    events: tuple[str, ...]
    sealed_secret: bytes
    created_at: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event for one webhook. Those of a `stream` go out in the order of their ids.

    `error` says why one was given up.
    """

    id: int
    webhook_id: str
    stream: str
    event_id: str
    body: str
    recorded_at: int
    error: str | None = None


_WEBHOOK = "id, url, events, sealed_secret, created_at"
_DELIVERY = "id, webhook_id, stream, event_id, body, recorded_at, error"


def insert(tx: Transaction, webhook: Webhook) -> None:
    tx.run(
        f"INSERT INTO webhook ({_WEBHOOK}) VALUES (:id, :url, :events, :secret, :created_at)",
        id=webhook.id,
        url=webhook.url,
        events=msgspec.json.encode(webhook.events).decode(),
        secret=webhook.sealed_secret,
        created_at=webhook.created_at,
    )


def find(tx: Transaction, webhook_id: str) -> Webhook | None:
    row = tx.one(f"SELECT {_WEBHOOK} FROM webhook WHERE id = :id", id=webhook_id)
    return _webhook(row) if row else None


def list_all(tx: Transaction) -> list[Webhook]:
    """Every webhook, the oldest first."""
    return [_webhook(row) for row in tx.all(f"SELECT {_WEBHOOK} FROM webhook ORDER BY created_at, id")]


def delete(tx: Transaction, webhook_id: str) -> bool:
    """Remove a webhook with all that is on its way to it; False when there is none."""
    return bool(tx.run("DELETE FROM webhook WHERE id = :id", id=webhook_id))


def add_delivery(tx: Transaction, delivery: Delivery) -> None:
    """Queue an event; its `id` is given here."""
    tx.run(
        "INSERT INTO delivery (webhook_id, stream, event_id, body, recorded_at)"
        " VALUES (:webhook, :stream, :event, :body, :recorded_at)",
        webhook=delivery.webhook_id,
        stream=delivery.stream,
        event=delivery.event_id,
        body=delivery.body,
        recorded_at=delivery.recorded_at,
    )


def waiting(tx: Transaction, webhook_id: str, stream: str, limit: int) -> list[Delivery]:
    """The next events of a stream, in order."""
    rows = tx.all(
        f"SELECT {_DELIVERY} FROM delivery"
        " WHERE webhook_id = :webhook AND stream = :stream AND error IS NULL ORDER BY id LIMIT :limit",
        webhook=webhook_id,
        stream=stream,
        limit=limit,
    )
    return [Delivery(*row) for row in rows]


def streams(tx: Transaction, webhook_id: str) -> list[str]:
    """The streams in which something waits for a webhook."""
    rows = tx.all(
        "SELECT DISTINCT stream FROM delivery WHERE webhook_id = :webhook AND error IS NULL ORDER BY stream",
        webhook=webhook_id,
    )
    return [row[0] for row in rows]


def failed(tx: Transaction, webhook_id: str) -> list[Delivery]:
    """The events of a webhook that were given up, in order."""
    rows = tx.all(
        f"SELECT {_DELIVERY} FROM delivery WHERE webhook_id = :webhook AND error IS NOT NULL ORDER BY id",
        webhook=webhook_id,
    )
    return [Delivery(*row) for row in rows]


def count(tx: Transaction, webhook_id: str) -> tuple[int, int]:
    """How many events wait for a webhook, and how many were given up."""
    row = tx.one("SELECT count(*), count(error) FROM delivery WHERE webhook_id = :webhook", webhook=webhook_id)
    return (row[0] - row[1], row[1]) if row else (0, 0)


def remove(tx: Transaction, deliveries: Iterable[Delivery]) -> None:
    """Forget events that were accepted."""
    for delivery in deliveries:
        tx.run("DELETE FROM delivery WHERE id = :id", id=delivery.id)


def give_up(tx: Transaction, delivery: Delivery, error: str) -> None:
    tx.run("UPDATE delivery SET error = :error WHERE id = :id", id=delivery.id, error=error)


def give_up_stream(tx: Transaction, webhook_id: str, stream: str, error: str) -> None:
    """Give up all that waits in a stream."""
    tx.run(
        "UPDATE delivery SET error = :error WHERE webhook_id = :webhook AND stream = :stream AND error IS NULL",
        webhook=webhook_id,
        stream=stream,
        error=error,
    )


def let_wait_again(tx: Transaction, delivery: Delivery) -> None:
    """Undo `give_up`: the event takes its old place in its stream."""
    tx.run("UPDATE delivery SET error = NULL WHERE id = :id", id=delivery.id)


def forget_failed(tx: Transaction, before: int) -> int:
    """Remove given up events that were recorded before that time; returns how many."""
    return tx.run("DELETE FROM delivery WHERE recorded_at < :before AND error IS NOT NULL", before=before)


def _webhook(row: tuple[Any, ...]) -> Webhook:
    return Webhook(row[0], row[1], tuple(msgspec.json.decode(row[2], type=list[str])), row[3], row[4])
