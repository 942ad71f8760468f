"""Rows of what is being fetched from upstream registries: of several processes, the one with the lease fetches it.

A process that dies leaves its row. Its lease ends, and the next process that wants the same takes it over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from moorage.domain.units import HOUR
from moorage.metadata.database import Transaction

_LEFT_FOR: Final = HOUR
"""How long a row stays after the end of its lease, if nobody wants the same again."""


@dataclass(frozen=True, slots=True)
class Fetching:
    """Something that is being fetched. `upload` has the bytes of a blob so far; `size` is that of the whole blob."""

    item: str
    lease: str
    lease_end: int
    upload: str | None = None
    size: int | None = None


def find(tx: Transaction, item: str) -> Fetching | None:
    row = tx.one("SELECT item, lease, lease_end, upload, size FROM fetching WHERE item = :item", item=item)
    return Fetching(*row) if row else None


def insert(tx: Transaction, new: Fetching, now: int) -> None:
    """Add a row in place of any other of the same item, and drop rows that nobody wanted again."""
    tx.run("DELETE FROM fetching WHERE item = :item OR lease_end < :left", item=new.item, left=now - _LEFT_FOR)
    tx.run(
        "INSERT INTO fetching (item, lease, lease_end, upload, size) VALUES (:item, :lease, :end, :upload, :size)",
        item=new.item,
        lease=new.lease,
        end=new.lease_end,
        upload=new.upload,
        size=new.size,
    )


def extend(tx: Transaction, held: Fetching, lease_end: int) -> bool:
    """Extend the lease; False if another process has taken the item over, or its repository is gone."""
    return bool(
        tx.run(
            "UPDATE fetching SET lease_end = :end WHERE item = :item AND lease = :lease",
            end=lease_end,
            item=held.item,
            lease=held.lease,
        )
    )


def end(tx: Transaction, held: Fetching) -> bool:
    """Remove the row; False if another process has taken it over."""
    return bool(tx.run("DELETE FROM fetching WHERE item = :item AND lease = :lease", item=held.item, lease=held.lease))
