"""Rows of entries: an image or a tag that waits to be replicated to a destination, or that failed there.

There is one entry for each image, tag, action and destination. What is done for it depends on the state of the source
at that time, so entries may be done in any order, and twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from moorage.domain.names import Registry, RepositoryName
from moorage.metadata.database import Transaction

Action = Literal["COPY", "DELETE", "ARCHIVE"]


@dataclass(frozen=True, slots=True)
class Stream:
    """A repository of a source registry, and the destination that its images go to."""

    source: Registry
    repository: RepositoryName
    destination: Registry

    @property
    def key(self) -> str:
        """The key of the stream's job."""
        parts = (self.source.account, self.source.region, self.destination.account, self.destination.region)
        return " ".join((*parts, self.repository))

    @classmethod
    def of_key(cls, key: str) -> Stream:
        account, region, to_account, to_region, name = key.split(" ")
        return cls(Registry(account, region), RepositoryName(name), Registry(to_account, to_region))


@dataclass(frozen=True, slots=True)
class Entry:
    """What waits: `tag` is empty for the image without a tag. `backfill` is the id of the backfill it belongs to.

    `id` is that of the row, or the position in the backfill. `version` counts how often the same was asked for.
    """

    id: int
    action: Action
    digest: str
    tag: str = ""
    version: int = 0
    backfill: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an entry failed, with the code that ECR's API shows.

    `sub_codes` are those of the images that an index lists; None for an image that is not an index.
    """

    code: str
    reason: str
    sub_codes: tuple[str, ...] | None = None


_STREAM: Final = (
    "account = :account AND region = :region AND repository = :repository"
    " AND to_account = :to_account AND to_region = :to_region"
)


def _named(stream: Stream) -> dict[str, Any]:
    return {**_between(stream.source, stream.destination), "repository": stream.repository}


def _between(source: Registry, destination: Registry) -> dict[str, Any]:
    return {
        "account": source.account,
        "region": source.region,
        "to_account": destination.account,
        "to_region": destination.region,
    }


def add(tx: Transaction, streams: Iterable[Stream], action: Action, digest: str, tags: Sequence[str], now: int) -> None:
    """Add an entry for each stream and tag. One that failed waits again; one that waits gets a new version."""
    tx.run_each(
        "INSERT INTO replication_entry"
        " (account, region, repository, digest, tag, action, to_account, to_region, created_at, version)"
        " VALUES (:account, :region, :repository, :digest, :tag, :action, :to_account, :to_region, :now, 0)"
        " ON CONFLICT (account, region, repository, digest, tag, action, to_account, to_region) DO UPDATE"
        " SET created_at = CASE WHEN replication_entry.failed_at IS NULL THEN replication_entry.created_at"
        "   ELSE excluded.created_at END, version = replication_entry.version + 1,"
        " failed_at = NULL, failure_code = NULL, failure_reason = NULL",
        [
            {**_named(stream), "digest": digest, "tag": tag, "action": action, "now": now}
            for stream in streams
            for tag in tags
        ],
    )


def waiting(tx: Transaction, stream: Stream, limit: int) -> list[Entry]:
    """The oldest entries of a stream that wait."""
    rows = tx.all(
        f"SELECT id, action, digest, tag, version FROM replication_entry WHERE {_STREAM} AND failed_at IS NULL"
        " ORDER BY id LIMIT :limit",
        limit=limit,
        **_named(stream),
    )
    return [Entry(*row) for row in rows]


def remove(tx: Transaction, done: Iterable[Entry]) -> None:
    """Remove entries that are done, unless the same was asked for again since they were read."""
    tx.run_each(
        "DELETE FROM replication_entry WHERE id = :id AND version = :version",
        [{"id": entry.id, "version": entry.version} for entry in done],
    )


def drop_waiting(tx: Transaction, stream: Stream) -> None:
    """Remove the waiting entries of a stream whose destination is no longer configured."""
    tx.run(f"DELETE FROM replication_entry WHERE {_STREAM} AND failed_at IS NULL", **_named(stream))


def fail(tx: Transaction, failed: Iterable[Entry], failure: Failure, now: int) -> None:
    """Mark entries as failed, unless the same was asked for again since they were read."""
    tx.run_each(
        "UPDATE replication_entry SET failed_at = :now, failure_code = :code, failure_reason = :reason"
        " WHERE id = :id AND version = :version",
        [
            {"id": entry.id, "version": entry.version, "code": failure.code, "reason": failure.reason, "now": now}
            for entry in failed
        ],
    )


def fail_stream(tx: Transaction, stream: Stream, failure: Failure, now: int) -> None:
    """Fail all that waits in a stream."""
    tx.run(
        "UPDATE replication_entry SET failed_at = :now, failure_code = :code, failure_reason = :reason"
        f" WHERE {_STREAM} AND failed_at IS NULL",
        code=failure.code,
        reason=failure.reason,
        now=now,
        **_named(stream),
    )


@dataclass(frozen=True, slots=True)
class Chosen:
    """Entries that an operator chooses: those for a destination, those of repositories with a name, or all."""

    destination: Registry | None = None
    repository: str | None = None

    @property
    def condition(self) -> str:
        parts = ["1 = 1"]
        if self.destination is not None:
            parts.append("to_account = :to_account AND to_region = :to_region")
        if self.repository is not None:
            parts.append("repository = :repository")
        return " AND ".join(parts)

    @property
    def values(self) -> dict[str, str]:
        found = {} if self.repository is None else {"repository": self.repository}
        if self.destination is not None:
            found |= {"to_account": self.destination.account, "to_region": self.destination.region}
        return found


def wait_again(tx: Transaction, chosen: Chosen, now: int) -> int:
    """Let all failed entries of a choice wait from now on; returns how many."""
    return tx.run(
        "UPDATE replication_entry SET failed_at = NULL, failure_code = NULL, failure_reason = NULL, created_at = :now"
        f" WHERE failed_at IS NOT NULL AND {chosen.condition}",
        now=now,
        **chosen.values,
    )


def waiting_streams(tx: Transaction, chosen: Chosen) -> list[Stream]:
    """The streams of a choice that have entries that wait."""
    rows = tx.all(
        "SELECT DISTINCT account, region, repository, to_account, to_region FROM replication_entry"
        f" WHERE failed_at IS NULL AND {chosen.condition} ORDER BY 1, 2, 3, 4, 5",
        **chosen.values,
    )
    return [Stream(Registry(row[0], row[1]), RepositoryName(row[2]), Registry(row[3], row[4])) for row in rows]


def wait_again_if_passed(tx: Transaction, source: Registry, destination: Registry, limit: int) -> list[RepositoryName]:
    """Let entries wait again that failed for a reason that may have passed; returns the repository of each."""
    rows = tx.all(
        "UPDATE replication_entry SET failed_at = NULL, failure_code = NULL, failure_reason = NULL"
        " WHERE id IN (SELECT id FROM replication_entry WHERE account = :account AND region = :region"
        "   AND to_account = :to_account AND to_region = :to_region AND failed_at IS NOT NULL"
        "   AND failure_code IN ('AccessDenied', 'DestinationUnavailable', 'RepositoryNotFound') LIMIT :limit)"
        " RETURNING repository",
        limit=limit,
        **_between(source, destination),
    )
    return [RepositoryName(row[0]) for row in rows]


def is_refused(tx: Transaction, stream: Stream, digest: str, tag: str) -> bool:
    """Whether the destination refused to take a tag or image, so that it would do so again."""
    row = tx.one(
        f"SELECT 1 FROM replication_entry WHERE {_STREAM} AND digest = :digest AND tag = :tag AND action = 'COPY'"
        " AND failure_code IN ('DestinationRefused', 'ImageTagAlreadyExists', 'LayersNotFound')",
        digest=digest,
        tag=tag,
        **_named(stream),
    )
    return row is not None


def of_image(tx: Transaction, registry: Registry, repository: str, digest: str) -> list[tuple[Registry, str | None]]:
    """The copies of an image that are not complete: the destination and the code of the failure; None if it waits."""
    rows = tx.all(
        "SELECT to_account, to_region, failure_code, failed_at FROM replication_entry"
        " WHERE account = :account AND region = :region AND repository = :repository AND digest = :digest"
        " AND action = 'COPY'",
        account=registry.account,
        region=registry.region,
        repository=repository,
        digest=digest,
    )
    return [(Registry(row[0], row[1]), None if row[3] is None else row[2]) for row in rows]


def remove_failed(tx: Transaction, before: int, limit: int) -> int:
    """Remove entries that failed before `before`, at most `limit`; returns how many."""
    return tx.run(
        "DELETE FROM replication_entry WHERE id IN (SELECT id FROM replication_entry"
        " WHERE failed_at IS NOT NULL AND failed_at < :before ORDER BY failed_at LIMIT :limit)",
        before=before,
        limit=limit,
    )
