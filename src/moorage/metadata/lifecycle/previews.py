"""Rows of the previews of lifecycle policies, and of their results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from moorage.domain.batches import batches
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


class PreviewResult(msgspec.Struct, frozen=True, array_like=True):
    """The effect that a policy would have on an image."""

    image_id: int
    digest: str
    tags: tuple[str, ...]
    pushed_at: int
    is_archived: bool
    action: str
    priority: int

    @classmethod
    def of(cls, selected: SelectedImage) -> PreviewResult:
        image, rule = selected
        return cls(image.id, image.digest, image.tags, image.pushed_at, image.is_archived, rule.action, rule.priority)


_RESULTS_OF_PAGE: Final = 100
"""Results in one row. A larger row is written in less time, and takes longer to find one result in."""

_PAGES_AT_ONCE: Final = 50
"""Rows that `clear_results` removes, each of about 20 KB. Pushes wait for it."""

_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(list[PreviewResult])


def start(tx: Transaction, repository_id: int, text: str, now: int) -> None:
    """Start a new preview; it replaces an older one, whose results are still there until `clear_results`."""
    tx.run(
        "INSERT INTO lifecycle_preview (repository_id, policy, is_complete, started_at, expiring, archiving)"
        " VALUES (:repository, :policy, 0, :now, 0, 0)"
        " ON CONFLICT (repository_id) DO UPDATE SET policy = excluded.policy, is_complete = 0,"
        " started_at = excluded.started_at, expiring = 0, archiving = 0",
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


def clear_results(tx: Transaction, repository_id: int) -> bool:
    """Remove some of the results of a former preview; returns whether none are left."""
    removed = tx.run(
        "DELETE FROM lifecycle_preview_page WHERE repository_id = :repository AND last_image IN"
        " (SELECT last_image FROM lifecycle_preview_page WHERE repository_id = :repository LIMIT :limit)",
        repository=repository_id,
        limit=_PAGES_AT_ONCE,
    )
    return removed < _PAGES_AT_ONCE


def add_results(tx: Transaction, repository_id: int, results: Sequence[PreviewResult]) -> None:
    """Add results behind all former ones; does nothing if the preview was deleted with its repository."""
    if find(tx, repository_id) is None:
        return
    pages = [
        page
        for is_tagged in (True, False)
        for page in batches([each for each in results if bool(each.tags) == is_tagged], _RESULTS_OF_PAGE)
    ]
    tx.run_each(
        "INSERT INTO lifecycle_preview_page (repository_id, is_tagged, last_image, results)"
        " VALUES (:repository, :tagged, :last, :results)",
        [
            {
                "repository": repository_id,
                "tagged": int(bool(page[-1].tags)),
                "last": page[-1].image_id,
                "results": _ENCODER.encode(page),
            }
            for page in pages
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
    """At most `limit` results with image ids after `after`: all, or only those of tagged or of untagged images."""
    kinds = (True, False) if tagged is None else (tagged,)
    found = [result for kind in kinds for result in _results_after(tx, repository_id, kind, after, limit)]
    return sorted(found, key=lambda result: result.image_id)[:limit]


def _results_after(tx: Transaction, repository_id: int, tagged: bool, after: int, limit: int) -> list[PreviewResult]:
    """At least `limit` results after `after`, if there are as many."""
    found: list[PreviewResult] = []
    while len(found) < limit:
        row = tx.one(
            "SELECT results, last_image FROM lifecycle_preview_page INDEXED BY lifecycle_preview_page_by_tags"
            " WHERE repository_id = :repository AND is_tagged = :tagged AND last_image > :after"
            " ORDER BY last_image LIMIT 1",
            repository=repository_id,
            tagged=int(tagged),
            after=after,
        )
        if row is None:
            break
        found += [result for result in _DECODER.decode(row[0]) if result.image_id > after]
        after = row[1]
    return found


def find_result(tx: Transaction, repository_id: int, image_id: int, digest: str) -> PreviewResult | None:
    """The result for an image. The digest is compared, because an id can be used again."""
    for tagged in (True, False):
        for result in _results_after(tx, repository_id, tagged, image_id - 1, 1):
            if (result.image_id, result.digest) == (image_id, digest):
                return result
    return None
