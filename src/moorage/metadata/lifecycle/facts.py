"""The facts about images that the rules of lifecycle policies test."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from moorage.domain.lifecycle.selection import LifecycleFacts
from moorage.metadata.database import Transaction
from moorage.metadata.registry.images import ACTIVE, ARCHIVED

_FACTS: Final = """
SELECT
    i.id, i.digest, i.pushed_at, i.last_activated_at, i.last_pulled_at, i.last_archived_at, i.status,
    (SELECT min(p.status) FROM image_child c JOIN image p ON p.id = c.parent_id WHERE c.child_id = i.id),
    (SELECT string_agg(t.name, ' ') FROM tag t WHERE t.image_id = i.id)
FROM image i
"""
# The first value in parentheses is the status of the indexes that list an image: ACTIVE if one of them is (it sorts
# before ARCHIVED), else ARCHIVED, or NULL without any. No tag has a space.

# Only images without a subject: referrers follow their subject.
_PAGE: Final = f"""
{_FACTS} WHERE i.repository_id = :repository AND i.id > :after AND i.subject IS NULL ORDER BY i.id LIMIT :limit
"""


def page(tx: Transaction, repository_id: int, after: int, limit: int) -> list[LifecycleFacts]:
    """At most `limit` images without a subject, with ids after `after`, oldest push first."""
    return [_image_facts(row) for row in tx.all(_PAGE, repository=repository_id, after=after, limit=limit)]


def of_images(tx: Transaction, image_ids: Iterable[int]) -> dict[int, LifecycleFacts]:
    """The facts of images as they are now, by id. Images that are gone are missing."""
    rows = tx.all(f"{_FACTS} WHERE i.id = ANY(:images)", images=list(image_ids))
    return {row[0]: _image_facts(row) for row in rows}


def find(tx: Transaction, image_id: int) -> LifecycleFacts | None:
    """The facts of one image as it is now; None when it is gone."""
    row = tx.one(f"{_FACTS} WHERE i.id = :image", image=image_id)
    return _image_facts(row) if row else None


def _image_facts(row: tuple[Any, ...]) -> LifecycleFacts:
    """Sorts the tags, because the engines return them in different orders."""
    status, listed, tags = row[6:]
    names = tuple(sorted(tags.split(" "))) if tags else ()
    return LifecycleFacts._make((*row[:6], status == ARCHIVED, listed is not None, listed == ACTIVE, names))
