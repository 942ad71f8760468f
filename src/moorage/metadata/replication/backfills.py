"""Rows of backfills and of their results: one for each image and tag that existed when the backfill was prepared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from moorage.domain.names import Registry, RepositoryName
from moorage.metadata.database import Transaction
from moorage.metadata.replication.entries import Entry, Failure

Status = Literal["PREPARING", "IN_PROGRESS", "COMPLETE", "FAILED", "STOPPING", "STOPPED"]
ResultStatus = Literal["COMPLETE", "FAILED"]

UNFINISHED: Final = ("PREPARING", "IN_PROGRESS", "STOPPING")


@dataclass(frozen=True, slots=True)
class Backfill:
    """A backfill. Its counts are complete when it `is_prepared`."""

    id: str
    source: Registry
    destination: Registry
    status: Status
    started_at: int
    failure_code: str | None = None
    ended_at: int | None = None
    is_prepared: bool = False
    at_repository: str = ""
    at_image: int = 0
    total: int = 0
    completed: int = 0
    failed: int = 0
    failure_codes: tuple[str, ...] = ()

    @property
    def has_ended(self) -> bool:
        return self.status not in UNFINISHED


@dataclass(frozen=True, slots=True)
class Result:
    """The result for an image and a tag; `sub_codes` is None unless the image is an index."""

    position: int
    repository: str
    digest: str
    tag: str
    status: ResultStatus
    failure_code: str | None
    sub_codes: tuple[str, ...] | None


_COLUMNS: Final = """
    id, account, region, to_account, to_region, status, started_at, failure_code, ended_at, is_prepared, at_repository,
    at_image, total, completed, failed, failure_codes
"""
_OWN: Final = "account = :account AND region = :region"


def insert(tx: Transaction, new: Backfill) -> None:
    tx.run(
        f"INSERT INTO replication_backfill ({_COLUMNS}) VALUES (:id, :account, :region, :to_account, :to_region,"
        " :status, :now, NULL, NULL, 0, '', 0, 0, 0, 0, '[]')",
        id=new.id,
        account=new.source.account,
        region=new.source.region,
        to_account=new.destination.account,
        to_region=new.destination.region,
        status=new.status,
        now=new.started_at,
    )


def find(tx: Transaction, backfill_id: str) -> Backfill | None:
    row = tx.one(f"SELECT {_COLUMNS} FROM replication_backfill WHERE id = :id", id=backfill_id)
    return _backfill(row) if row else None


def unfinished(tx: Transaction, registry: Registry) -> list[Backfill]:
    """The backfills of a registry that have not ended: a handful."""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM replication_backfill WHERE {_OWN} AND ended_at IS NULL",
        account=registry.account,
        region=registry.region,
    )
    return [_backfill(row) for row in rows]


def page(tx: Transaction, registry: Registry, before: tuple[int, str], limit: int) -> list[Backfill]:
    """At most `limit` backfills that started before the time and id `before`, the newest first."""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM replication_backfill WHERE {_OWN} AND (started_at, id) < (:at, :id)"
        " ORDER BY started_at DESC, id DESC LIMIT :limit",
        account=registry.account,
        region=registry.region,
        at=before[0],
        id=before[1],
        limit=limit,
    )
    return [_backfill(row) for row in rows]


def set_status(tx: Transaction, backfill_id: str, status: Status) -> None:
    tx.run("UPDATE replication_backfill SET status = :status WHERE id = :id", id=backfill_id, status=status)


def end(tx: Transaction, backfill_id: str, status: Status, now: int, failure_code: str | None = None) -> None:
    """Give a backfill its last status."""
    tx.run(
        "UPDATE replication_backfill SET status = :status, ended_at = :now, failure_code = :code WHERE id = :id",
        id=backfill_id,
        status=status,
        now=now,
        code=failure_code,
    )


# --- Preparation ------------------------------------------------------------------------------------------------


def next_repositories(tx: Transaction, registry: Registry, start: str, limit: int) -> list[tuple[int, RepositoryName]]:
    """The ids and names of at most `limit` repositories from the name `start` on, in the order of names."""
    rows = tx.all(
        f"SELECT id, name FROM repository WHERE {_OWN} AND name >= :start ORDER BY name LIMIT :limit",
        account=registry.account,
        region=registry.region,
        start=start,
        limit=limit,
    )
    return [(row[0], RepositoryName(row[1])) for row in rows]


def next_images(tx: Transaction, repository_id: int, after: int, limit: int) -> list[tuple[int, str]]:
    """The ids and digests of at most `limit` active images behind the id `after`, without replicas."""
    return tx.all(
        "SELECT i.id, i.digest FROM image i WHERE i.repository_id = :repository AND i.id > :after"
        " AND i.status = 'ACTIVE' AND NOT EXISTS"
        " (SELECT 1 FROM replica r WHERE r.repository_id = i.repository_id AND r.digest = i.digest)"
        " ORDER BY i.id LIMIT :limit",
        repository=repository_id,
        after=after,
        limit=limit,
    )


def add_results(
    tx: Transaction, backfill: Backfill, repository: str, rows: Sequence[tuple[str, str]], last_image: int
) -> None:
    """Add digests and tags of a repository as results that wait, and save how far the preparation is."""
    first = backfill.total
    tx.run_each(
        "INSERT INTO replication_backfill_result (backfill_id, position, repository, digest, tag, status)"
        " VALUES (:id, :position, :repository, :digest, :tag, 'WAITING')",
        [
            {"id": backfill.id, "position": position, "repository": repository, "digest": digest, "tag": tag}
            for position, (digest, tag) in enumerate(rows, start=first)
        ],
    )
    tx.run(
        "UPDATE replication_backfill SET at_repository = :repository, at_image = :image, total = :total WHERE id = :id",
        id=backfill.id,
        repository=repository,
        image=last_image,
        total=first + len(rows),
    )


def finish_preparation(tx: Transaction, backfill_id: str) -> None:
    tx.run("UPDATE replication_backfill SET is_prepared = 1, status = 'IN_PROGRESS' WHERE id = :id", id=backfill_id)


# --- Results ----------------------------------------------------------------------------------------------------

_RESULT: Final = "position, repository, digest, tag, status, failure_code, sub_codes"


def waiting(tx: Transaction, backfill_id: str, limit: int) -> tuple[RepositoryName, list[Entry]]:
    """The repository and the entries of the first results that wait; without results no entries."""
    rows = tx.all(
        "SELECT position, repository, digest, tag FROM replication_backfill_result"
        " WHERE backfill_id = :id AND status = 'WAITING' ORDER BY position LIMIT :limit",
        id=backfill_id,
        limit=limit,
    )
    repository = rows[0][1] if rows else ""
    entries = [Entry(row[0], "COPY", row[2], row[3], backfill=backfill_id) for row in rows if row[1] == repository]
    return RepositoryName(repository), entries


def complete(tx: Transaction, backfill_id: str, positions: Sequence[int]) -> None:
    """Save what was replicated. Entries of the same that had failed are removed: they would show a failure still."""
    tx.run(
        "DELETE FROM replication_entry WHERE id IN (SELECT e.id FROM replication_backfill b"
        " JOIN replication_backfill_result r ON r.backfill_id = b.id"
        " JOIN replication_entry e ON e.account = b.account AND e.region = b.region AND e.repository = r.repository"
        "   AND e.digest = r.digest AND e.tag = r.tag AND e.action = 'COPY'"
        "   AND e.to_account = b.to_account AND e.to_region = b.to_region"
        " WHERE b.id = :id AND r.position = ANY(:positions) AND e.failed_at IS NOT NULL)",
        id=backfill_id,
        positions=list(positions),
    )
    done = _finish(tx, backfill_id, positions, "COMPLETE", None, None)
    tx.run("UPDATE replication_backfill SET completed = completed + :n WHERE id = :id", id=backfill_id, n=done)


def add_failed_entries(tx: Transaction, backfill_id: str, positions: Sequence[int], failure: Failure, now: int) -> None:
    """Add an entry that failed for each result that waits, so that it can be retried. An entry that waits stays."""
    tx.run(
        "INSERT INTO replication_entry (account, region, repository, digest, tag, action, to_account, to_region,"
        " created_at, version, failed_at, failure_code, failure_reason)"
        " SELECT b.account, b.region, r.repository, r.digest, r.tag, 'COPY', b.to_account, b.to_region,"
        " :now, 0, :now, :code, :reason"
        " FROM replication_backfill b JOIN replication_backfill_result r ON r.backfill_id = b.id"
        " WHERE b.id = :id AND r.position = ANY(:positions) AND r.status = 'WAITING'"
        " ON CONFLICT (account, region, repository, digest, tag, action, to_account, to_region) DO UPDATE"
        " SET failed_at = excluded.failed_at, failure_code = excluded.failure_code,"
        " failure_reason = excluded.failure_reason WHERE replication_entry.failed_at IS NOT NULL",
        id=backfill_id,
        positions=list(positions),
        code=failure.code,
        reason=failure.reason,
        now=now,
    )


def fail(tx: Transaction, backfill_id: str, positions: Sequence[int], failure: Failure) -> None:
    sub_codes = None if failure.sub_codes is None else msgspec.json.encode(failure.sub_codes).decode()
    failed = _finish(tx, backfill_id, positions, "FAILED", failure.code, sub_codes)
    found = find(tx, backfill_id)
    codes = {*(found.failure_codes if found else ()), failure.code}
    tx.run(
        "UPDATE replication_backfill SET failed = failed + :n, failure_codes = :codes WHERE id = :id",
        id=backfill_id,
        n=failed,
        codes=msgspec.json.encode(sorted(codes)).decode(),
    )


def _finish(
    tx: Transaction,
    backfill_id: str,
    positions: Sequence[int],
    status: ResultStatus,
    code: str | None,
    sub_codes: str | None,
) -> int:
    """Set the status of results that wait; returns how many they were, so that none is counted twice."""
    return tx.run(
        "UPDATE replication_backfill_result SET status = :status, failure_code = :code, sub_codes = :sub_codes"
        " WHERE backfill_id = :id AND position = ANY(:positions) AND status = 'WAITING'",
        id=backfill_id,
        positions=list(positions),
        status=status,
        code=code,
        sub_codes=sub_codes,
    )


def results(
    tx: Transaction, backfill_id: str, after: int, statuses: Iterable[ResultStatus], limit: int
) -> list[Result]:
    """At most `limit` results with one of these statuses behind the position `after`."""
    found = [
        _result(row)
        for status in statuses
        for row in tx.all(
            f"SELECT {_RESULT} FROM replication_backfill_result INDEXED BY replication_backfill_result_by_status"
            " WHERE backfill_id = :id AND status = :status AND position > :after ORDER BY position LIMIT :limit",
            id=backfill_id,
            status=status,
            after=after,
            limit=limit,
        )
    ]
    return sorted(found, key=lambda each: each.position)[:limit]


def ended(tx: Transaction, before: int) -> str | None:
    """The id of a backfill that ended before `before`."""
    row = tx.one(
        "SELECT id FROM replication_backfill WHERE ended_at < :before ORDER BY ended_at LIMIT 1", before=before
    )
    return row[0] if row else None


def remove(tx: Transaction, backfill_id: str, limit: int) -> None:
    """Remove at most `limit` results of a backfill, and the backfill itself when it has no more."""
    removed = tx.run(
        "DELETE FROM replication_backfill_result WHERE backfill_id = :id AND position IN"
        " (SELECT position FROM replication_backfill_result WHERE backfill_id = :id ORDER BY position LIMIT :limit)",
        id=backfill_id,
        limit=limit,
    )
    if removed < limit:
        tx.run("DELETE FROM replication_backfill WHERE id = :id", id=backfill_id)


def _backfill(row: tuple[Any, ...]) -> Backfill:
    return Backfill(
        id=row[0],
        source=Registry(row[1], row[2]),
        destination=Registry(row[3], row[4]),
        status=row[5],
        started_at=row[6],
        failure_code=row[7],
        ended_at=row[8],
        is_prepared=bool(row[9]),
        at_repository=row[10],
        at_image=row[11],
        total=row[12],
        completed=row[13],
        failed=row[14],
        failure_codes=tuple(msgspec.json.decode(row[15], type=list[str])),
    )


def _result(row: tuple[Any, ...]) -> Result:
    position, repository, digest, tag, status, code, sub_codes = row
    codes = None if sub_codes is None else tuple(msgspec.json.decode(sub_codes, type=list[str]))
    return Result(position, repository, digest, tag, status, code, codes)
