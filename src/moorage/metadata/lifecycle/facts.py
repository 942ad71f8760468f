"""The facts about images that the rules of lifecycle policies test."""

from __future__ import annotations

from typing import Any, Final

from moorage.domain.lifecycle.selection import LifecycleFacts
from moorage.metadata.database import Transaction
from moorage.metadata.registry.images import ACTIVE, ARCHIVED

_FACTS: Final = """
    i.id, i.digest, i.pushed_at, i.last_activated_at, i.last_pulled_at, i.last_archived_at, i.status,
    (
        SELECT min(p.status) FROM image_child c JOIN image p ON p.id = c.parent_id WHERE c.child_id = i.id
    )
"""
# The status of the indexes that list an image: ACTIVE if one of them is (it sorts before ARCHIVED), else ARCHIVED, or
# NULL without any.

# Only images without a subject: referrers follow their subject.
_PAGE: Final = f"""
SELECT {_FACTS}, t.name
FROM (
    SELECT id, digest, pushed_at, last_activated_at, last_pulled_at, last_archived_at, status
    FROM image WHERE repository_id = :repository AND id > :after AND subject IS NULL ORDER BY id LIMIT :limit
) i LEFT JOIN tag t ON t.image_id = i.id
ORDER BY i.id
"""

_ONE_IMAGE: Final = f"SELECT {_FACTS}, t.name FROM image i LEFT JOIN tag t ON t.image_id = i.id WHERE i.id = :image"


def page(tx: Transaction, repository_id: int, after: int, limit: int) -> list[LifecycleFacts]:
    """At most `limit` images without a subject, with ids after `after`, oldest push first."""
    return _facts(tx.all(_PAGE, repository=repository_id, after=after, limit=limit))


def find(tx: Transaction, image_id: int) -> LifecycleFacts | None:
    """The facts of one image as it is now; None when it is gone."""
    found = _facts(tx.all(_ONE_IMAGE, image=image_id))
    return found[0] if found else None


def _facts(rows: list[tuple[Any, ...]]) -> list[LifecycleFacts]:
    """Group rows, one per tag, into one fact per image. Sorts the tags, because the engines sort differently."""
    found: list[LifecycleFacts] = []
    tags: list[str] = []
    last: tuple[Any, ...] | None = None
    for row in rows:
        if last is not None and row[0] != last[0]:
            found.append(_image_facts(last, tags))
            tags = []
        if row[8] is not None:
            tags.append(row[8])
        last = row
    return [*found, _image_facts(last, tags)] if last is not None else found


def _image_facts(row: tuple[Any, ...], tags: list[str]) -> LifecycleFacts:
    listed = row[7]
    return LifecycleFacts._make(
        (*row[:6], row[6] == ARCHIVED, listed is not None, listed == ACTIVE, tuple(sorted(tags)))
    )
