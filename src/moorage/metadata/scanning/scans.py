"""Rows of the last scan of each image, and of what it found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from moorage.domain.scanning.findings import Finding
from moorage.domain.scanning.statuses import Outcome
from moorage.metadata.database import Transaction

SCAN_JOB: Final = "scan-image"
"""The kind of the jobs that scan images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRecord:
    """The last scan of an image. Times are microseconds; 0 if there is none.

    `source_at` is how old the content of the vulnerability database is. Findings with another `generation` are those
    of an earlier scan, or of one that has not ended. `is_watched`: it is matched again with each new database.
    """

    image_id: int
    scan_type: str
    outcome: Outcome
    reason: str = ""
    requested_at: int
    completed_at: int = 0
    source_at: int = 0
    database_id: str = ""
    scanner: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    sbom: str | None = None
    generation: int = 0
    is_watched: bool = False


@dataclass(frozen=True, slots=True)
class StoredFinding:
    """A finding with its id of 32 hexadecimal digits, when the image had it first, and its size as stored."""

    position: int
    id: str
    first_seen_at: int
    finding: Finding
    size: int = 0


_COLUMNS: Final = (
    "image_id, scan_type, outcome, reason, requested_at, completed_at, source_at, database_id, scanner, counts, sbom,"
    " generation, is_watched"
)
_NAMES: Final = tuple(name.strip() for name in _COLUMNS.split(","))


def find(tx: Transaction, image_id: int) -> ScanRecord | None:
    row = tx.one(f"SELECT {_COLUMNS} FROM image_scan WHERE image_id = :image", image=image_id)
    return _record(row) if row else None


def find_all(tx: Transaction, image_ids: Iterable[int]) -> dict[int, ScanRecord]:
    """The records of these images, by image."""
    rows = tx.all(f"SELECT {_COLUMNS} FROM image_scan WHERE image_id = ANY(:images)", images=list(image_ids))
    return {row[0]: _record(row) for row in rows}


def put(tx: Transaction, record: ScanRecord) -> None:
    """Add or replace the record of an image, which must exist."""
    values = ", ".join(f":{name}" for name in _NAMES)
    changes = ", ".join(f"{name} = excluded.{name}" for name in _NAMES[1:])
    stored = {
        "outcome": str(record.outcome),
        "counts": msgspec.json.encode(record.counts).decode(),
        "is_watched": int(record.is_watched),
    }
    tx.run(
        f"INSERT INTO image_scan ({_COLUMNS}) VALUES ({values}) ON CONFLICT (image_id) DO UPDATE SET {changes}",
        **{name: getattr(record, name) for name in _NAMES} | stored,
    )


def number_of_failed(tx: Transaction) -> int:
    """The number of images whose last scan failed."""
    row = tx.one("SELECT count(*) FROM image_scan WHERE outcome = 'FAILED'")
    return int(row[0]) if row else 0


def delete(tx: Transaction, image_id: int) -> None:
    """Delete the record of an image with its findings."""
    tx.run("DELETE FROM image_scan WHERE image_id = :image", image=image_id)


def stop_watching(tx: Transaction, image_id: int) -> None:
    """No longer match the image again with each new database."""
    tx.run("UPDATE image_scan SET is_watched = 0 WHERE image_id = :image", image=image_id)


@dataclass(frozen=True, slots=True)
class WatchedImage:
    """An image that is matched again, with the database of its last scan."""

    image_id: int
    database_id: str
    repository_id: int
    digest: str


def watched(tx: Transaction, after: int, limit: int) -> list[WatchedImage]:
    """At most `limit` images after `after` that are matched again with each new database."""
    rows = tx.all(
        "SELECT s.image_id, s.database_id, i.repository_id, i.digest"
        " FROM image_scan s JOIN image i ON i.id = s.image_id"
        " WHERE s.is_watched = 1 AND s.image_id > :after ORDER BY s.image_id LIMIT :limit",
        after=after,
        limit=limit,
    )
    return [WatchedImage(*row) for row in rows]


# --- Findings ---------------------------------------------------------------------------------------------------


def add_findings(tx: Transaction, image_id: int, generation: int, found: Sequence[StoredFinding]) -> None:
    """Add findings of a scan that has not ended. Do nothing if the record was deleted with its image."""
    if find(tx, image_id) is None:
        return
    tx.run_each(
        "INSERT INTO scan_finding (image_id, generation, position, id, first_seen_at, body)"
        " VALUES (:image, :generation, :position, :id, :first, :body)",
        [
            {
                "image": image_id,
                "generation": generation,
                "position": one.position,
                "id": one.id,
                "first": one.first_seen_at,
                "body": msgspec.json.encode(one.finding).decode(),
            }
            for one in found
        ],
    )


def first_seen(tx: Transaction, image_id: int, generation: int) -> dict[str, int]:
    """When the image had each finding first, by the finding's id."""
    rows = tx.all(
        "SELECT id, first_seen_at FROM scan_finding WHERE image_id = :image AND generation = :generation",
        image=image_id,
        generation=generation,
    )
    return dict(rows)


def page_of_findings(tx: Transaction, record: ScanRecord, after: int, limit: int) -> list[StoredFinding]:
    """At most `limit` findings after the position `after`, the most severe first."""
    rows = tx.all(
        "SELECT position, id, first_seen_at, body FROM scan_finding"
        " WHERE image_id = :image AND generation = :generation AND position > :after ORDER BY position LIMIT :limit",
        image=record.image_id,
        generation=record.generation,
        after=after,
        limit=limit,
    )
    return [
        StoredFinding(position, id_, first, msgspec.json.decode(body, type=Finding), len(body))
        for position, id_, first, body in rows
    ]


def remove_other_findings(tx: Transaction, image_id: int, generation: int) -> None:
    """Remove the findings of all other scans of the image."""
    tx.run(
        "DELETE FROM scan_finding WHERE image_id = :image AND generation <> :generation",
        image=image_id,
        generation=generation,
    )


def _record(row: tuple[Any, ...]) -> ScanRecord:
    values = dict(zip(_NAMES, row, strict=True))
    return ScanRecord(
        **values
        | {
            "outcome": Outcome(values["outcome"]),
            "counts": msgspec.json.decode(values["counts"], type=dict[str, int]),
            "is_watched": bool(values["is_watched"]),
        }
    )
