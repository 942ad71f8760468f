"""Rows of event targets (the table is named `webhook`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from moorage.metadata.database import Transaction


@dataclass(frozen=True, slots=True)
class EventTarget:
    """A receiver of events, the names of the events that it gets, and the format in which it gets them."""

    id: str
    url: str
    format: str
    events: tuple[str, ...]
    sealed_secret: bytes
    created_at: int


_COLUMNS = "id, url, format, events, sealed_secret, created_at"


def insert(tx: Transaction, target: EventTarget) -> None:
    tx.run(
        f"INSERT INTO webhook ({_COLUMNS}) VALUES (:id, :url, :format, :events, :secret, :created_at)",
        id=target.id,
        url=target.url,
        format=target.format,
        events=msgspec.json.encode(target.events).decode(),
        secret=target.sealed_secret,
        created_at=target.created_at,
    )


def find(tx: Transaction, target_id: str) -> EventTarget | None:
    row = tx.one(f"SELECT {_COLUMNS} FROM webhook WHERE id = :id", id=target_id)
    return _target(row) if row else None


def list_all(tx: Transaction) -> list[EventTarget]:
    """All event targets, oldest first."""
    return [_target(row) for row in tx.all(f"SELECT {_COLUMNS} FROM webhook ORDER BY created_at, id")]


def page(tx: Transaction, after: tuple[int, str], limit: int) -> list[EventTarget]:
    """At most `limit` event targets behind a time and id of their creation, the oldest first. It sorts all of them."""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM webhook WHERE (created_at, id) > (:created_at, :id)"
        " ORDER BY created_at, id LIMIT :limit",
        created_at=after[0],
        id=after[1],
        limit=limit,
    )
    return [_target(row) for row in rows]


def set_format(tx: Transaction, target_id: str, name: str) -> None:
    tx.run("UPDATE webhook SET format = :format WHERE id = :id", format=name, id=target_id)


def delete(tx: Transaction, target_id: str) -> bool:
    """Remove a target and its deliveries; False if it does not exist."""
    return bool(tx.run("DELETE FROM webhook WHERE id = :id", id=target_id))


def _target(row: tuple[Any, ...]) -> EventTarget:
    target_id, url, name, events, sealed_secret, created_at = row
    return EventTarget(
        target_id, url, name, tuple(msgspec.json.decode(events, type=list[str])), sealed_secret, created_at
    )
