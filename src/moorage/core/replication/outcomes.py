"""The results of entries: of those that a change left, and of those of a backfill."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from moorage.domain.names import Registry
from moorage.metadata.database import Transaction
from moorage.metadata.replication import backfills, copies, entries
from moorage.metadata.replication.entries import Entry, Failure

_GONE: Final = Failure("ImageNotFound", "The image was deleted or archived before it was replicated")


def complete(tx: Transaction, done: Sequence[Entry]) -> None:
    """Save that entries are done, in the transaction that did it where that is possible."""
    entries.remove(tx, [entry for entry in done if not entry.backfill])
    for backfill, positions in _of_backfills(done).items():
        backfills.complete(tx, backfill, positions)


def source_gone(tx: Transaction, moot: Sequence[Entry]) -> None:
    """Save that the images of entries are no longer at the source, or are archived there: nothing is copied."""
    entries.remove(tx, [entry for entry in moot if not entry.backfill])
    for backfill, positions in _of_backfills(moot).items():
        backfills.fail(tx, backfill, positions, _GONE)


def arrived(tx: Transaction, repository_id: int, digests: Iterable[str], destination: Registry, now: int) -> None:
    """Save that images of a source repository are at a destination, for DescribeImageReplicationStatus."""
    copies.record(tx, repository_id, digests, destination, now)


def fail(tx: Transaction, failed: Sequence[Entry], failure: Failure, now: int) -> None:
    """Save that entries failed. They wait again when the same is pushed again, or when the operator asks for it.

    So does what failed in a backfill: it becomes a failed entry. The results of the backfill stay what they were.
    """
    entries.fail(tx, [entry for entry in failed if not entry.backfill], failure, now)
    for backfill, positions in _of_backfills(failed).items():
        backfills.add_failed_entries(tx, backfill, positions, failure, now)
        backfills.fail(tx, backfill, positions, failure)


def _of_backfills(batch: Iterable[Entry]) -> dict[str, list[int]]:
    """The positions of entries of backfills."""
    found: dict[str, list[int]] = defaultdict(list)
    for entry in batch:
        if entry.backfill:
            found[entry.backfill].append(entry.id)
    return found
