"""Rows of the previews of lifecycle policies, and of their results."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from moorage.domain.lifecycle.selection import SelectedImage
from moorage.metadata.database import Transaction


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


def start(tx: Transaction, repository_id: int, text: str, now: int) -> None:
    """Start a new preview without results; replaces an older one."""
    tx.run("DELETE FROM lifecycle_preview WHERE repository_id = :repository", repository=repository_id)
    tx.run(
        "INSERT INTO lifecycle_preview (repository_id, policy, is_complete, started_at, expiring, archiving)"
        " VALUES (:repository, :policy, 0, :now, 0, 0)",
        repository=repository_id,
        policy=text,
        now=now,
    )


def find(tx: Transaction, repository_id: int) -> Preview | None:
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
    if find(tx, repository_id) is None:
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


def complete(tx: Transaction, repository_id: int, expiring: int, archiving: int) -> None:
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
