"""Rows of lifecycle policies, of the images that their rules test, and of previews."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from moorage.domain.lifecycle.selection import LifecycleFacts, SelectedImage
from moorage.metadata.database import Transaction
from moorage.metadata.registry.images import ACTIVE, ARCHIVED


@dataclass(frozen=True, slots=True)
class StoredPolicy:
    """The text of a policy and the time of its last evaluation; 0 if there was none."""

    text: str
    evaluated_at: int


def put_policy(tx: Transaction, repository_id: int, text: str) -> None:
    """Set the policy of a repository; the new policy counts as not evaluated."""
    tx.run(
        "INSERT INTO lifecycle_policy (repository_id, policy, evaluated_at) VALUES (:repository, :policy, 0)"
        " ON CONFLICT (repository_id) DO UPDATE SET policy = excluded.policy, evaluated_at = 0",
        repository=repository_id,
        policy=text,
    )


def find_policy(tx: Transaction, repository_id: int) -> StoredPolicy | None:
    row = tx.one(
        "SELECT policy, evaluated_at FROM lifecycle_policy WHERE repository_id = :repository", repository=repository_id
    )
    return StoredPolicy(*row) if row else None


def has_policy(tx: Transaction, repository_id: int) -> bool:
    row = tx.one("SELECT 1 FROM lifecycle_policy WHERE repository_id = :repository", repository=repository_id)
    return row is not None


def delete_policy(tx: Transaction, repository_id: int) -> None:
    tx.run("DELETE FROM lifecycle_policy WHERE repository_id = :repository", repository=repository_id)


def record_evaluation(tx: Transaction, repository_id: int, text: str, now: int) -> None:
    """Record an evaluation, unless the policy was replaced meanwhile."""
    tx.run(
        "UPDATE lifecycle_policy SET evaluated_at = :now WHERE repository_id = :repository AND policy = :policy",
        repository=repository_id,
        policy=text,
        now=now,
    )


# --- Facts that the rules test ----------------------------------------------------------------------------------

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
    SELECT * FROM image WHERE repository_id = :repository AND id > :after AND subject IS NULL ORDER BY id LIMIT :limit
) i LEFT JOIN tag t ON t.image_id = i.id
ORDER BY i.id
"""

_ONE_IMAGE: Final = f"SELECT {_FACTS}, t.name FROM image i LEFT JOIN tag t ON t.image_id = i.id WHERE i.id = :image"


def page_of_facts(tx: Transaction, repository_id: int, after: int, limit: int) -> list[LifecycleFacts]:
    """At most `limit` images without a subject, with ids after `after`, oldest push first."""
    return _facts(tx.all(_PAGE, repository=repository_id, after=after, limit=limit))


def facts_of(tx: Transaction, image_id: int) -> LifecycleFacts | None:
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


# --- Previews ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Preview:
    """A preview of a policy, with its text as sent, and how many images would expire or be archived."""

    text: str
    is_complete: bool
    started_at: int
    expiring: int
    archiving: int


@dataclass(frozen=True, slots=True)
class PreviewResult:
    """The effect that a policy would have on an image."""

    position: int
    digest: str
    tags: tuple[str, ...]
    pushed_at: int
    is_archived: bool
    action: str
    priority: int


_RESULT: Final = "position, digest, tags, pushed_at, is_archived, action, priority"


def start_preview(tx: Transaction, repository_id: int, text: str, now: int) -> None:
    """Start a new preview without results; replaces an older one."""
    tx.run("DELETE FROM lifecycle_preview WHERE repository_id = :repository", repository=repository_id)
    tx.run(
        "INSERT INTO lifecycle_preview (repository_id, policy, is_complete, started_at, expiring, archiving)"
        " VALUES (:repository, :policy, 0, :now, 0, 0)",
        repository=repository_id,
        policy=text,
        now=now,
    )


def find_preview(tx: Transaction, repository_id: int) -> Preview | None:
    row = tx.one(
        "SELECT policy, is_complete, started_at, expiring, archiving FROM lifecycle_preview"
        " WHERE repository_id = :repository",
        repository=repository_id,
    )
    return Preview(row[0], bool(row[1]), *row[2:]) if row else None


def clear_results(tx: Transaction, repository_id: int) -> None:
    tx.run("DELETE FROM lifecycle_preview_result WHERE repository_id = :repository", repository=repository_id)


def add_results(tx: Transaction, repository_id: int, first: int, images: Iterable[SelectedImage]) -> None:
    """Add results from position `first` on; does nothing if the preview was deleted with its repository."""
    if find_preview(tx, repository_id) is None:
        return
    tx.run_each(
        f"INSERT INTO lifecycle_preview_result (repository_id, {_RESULT})"
        " VALUES (:repository, :position, :digest, :tags, :pushed_at, :is_archived, :action, :priority)",
        [
            {
                "repository": repository_id,
                "position": position,
                "digest": selected.image.digest,
                "tags": msgspec.json.encode(selected.image.tags).decode(),
                "pushed_at": selected.image.pushed_at,
                "is_archived": int(selected.image.is_archived),
                "action": selected.rule.action,
                "priority": selected.rule.priority,
            }
            for position, selected in enumerate(images, start=first)
        ],
    )


def complete_preview(tx: Transaction, repository_id: int, expiring: int, archiving: int) -> None:
    tx.run(
        "UPDATE lifecycle_preview SET is_complete = 1, expiring = :expiring, archiving = :archiving"
        " WHERE repository_id = :repository",
        repository=repository_id,
        expiring=expiring,
        archiving=archiving,
    )


def page_of_results(
    tx: Transaction, repository_id: int, after: int, tagged: bool | None, limit: int
) -> list[PreviewResult]:
    """At most `limit` results after position `after`: all, or only those of tagged or of untagged images."""
    condition = {None: "", True: "AND tags <> '[]'", False: "AND tags = '[]'"}[tagged]
    rows = tx.all(
        f"SELECT {_RESULT} FROM lifecycle_preview_result"
        f" WHERE repository_id = :repository AND position > :after {condition} ORDER BY position LIMIT :limit",
        repository=repository_id,
        after=after,
        limit=limit,
    )
    return [_result(row) for row in rows]


def find_result(tx: Transaction, repository_id: int, digest: str) -> PreviewResult | None:
    row = tx.one(
        f"SELECT {_RESULT} FROM lifecycle_preview_result WHERE repository_id = :repository AND digest = :digest",
        repository=repository_id,
        digest=digest,
    )
    return _result(row) if row else None


def _result(row: tuple[Any, ...]) -> PreviewResult:
    position, digest, tags, pushed_at, is_archived, action, priority = row
    names = tuple(msgspec.json.decode(tags, type=list[str]))
    return PreviewResult(position, digest, names, pushed_at, bool(is_archived), action, priority)
