"""The collector: finds what nothing needs any more, says why, and removes it while everything else goes on.

Each removal is decided under the row's lock in the transaction that does it
(`metadata/garbage/unreferenced.py`). The row goes first; the bytes go later, from a list that the same transaction
writes, so a crash in between leaves them on the list. No removal waits for a client, and none holds one up for longer
than a small transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final, Generic, TypeVar

from moorage import failpoints
from moorage.core.clock import Clock
from moorage.core.garbage.grace import collectable_before
from moorage.core.pacing import Pace
from moorage.core.registry.layers import FINISHED_LIFE, UPLOAD_LIFE
from moorage.domain.batches import batches
from moorage.domain.ports import BlobMissing, BlobStore
from moorage.domain.units import HOUR
from moorage.metadata.database import Database, Transaction
from moorage.metadata.garbage import deleted_images as trash
from moorage.metadata.garbage import unreferenced as garbage
from moorage.metadata.garbage.deleted_images import DeletedImage
from moorage.metadata.garbage.unreferenced import (
    BLOB,
    UPLOAD,
    ExpiredUpload,
    GraceThresholds,
    PendingRemoval,
    UnreferencedBlob,
    UnreferencedLayer,
)

T = TypeVar("T")
P = TypeVar("P")

LINGER: Final = HOUR
"""How long bytes stay behind their row at most: links to them are good for that long, and answers are being sent."""

_ROWS_PER_LOOK: Final = 1000
"""Rows that one look takes: about a millisecond."""

_BATCH: Final = 100
"""Removals of one transaction."""


@dataclass(frozen=True, slots=True)
class CollectionRules:
    """What counts as garbage, and how much of the time is taken to look for it (`share`, up to 1)."""

    grace: int
    upload_life: int = UPLOAD_LIFE
    share: float = 0.05
    dry_run: bool = False

    @property
    def linger(self) -> int:
        return min(self.grace, LINGER)


@dataclass(frozen=True, slots=True)
class Garbage:
    """One thing that goes, or would go: what it is, its name, its bytes, and why."""

    kind: str
    name: str
    size: int
    why: str


Report = Callable[[Garbage], None]


class Totals:
    """Counts what is reported: numbers and bytes by kind."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.sizes: dict[str, int] = {}

    def __call__(self, one: Garbage) -> None:
        self.counts[one.kind] = self.counts.get(one.kind, 0) + 1
        self.sizes[one.kind] = self.sizes.get(one.kind, 0) + one.size


@dataclass(frozen=True, slots=True)
class _Search(Generic[T, P]):
    """How to find one kind of garbage, slice by slice from the position `first` on, and how to remove it."""

    first: P
    find: Callable[[Transaction, P], tuple[list[T], P | None]]
    remove: Callable[[Transaction, T], bool]
    describe: Callable[[T], Garbage]


class Collector:
    """Any number of runs may go on at the same time, in several processes: each thing is removed once."""

    def __init__(self, database: Database, blobs: BlobStore, now: Clock) -> None:
        self._database = database
        self._blobs = blobs
        self._now = now

    async def collect(self, rules: CollectionRules, report: Report) -> None:
        """Remove what is garbage at this moment, or only say what it is. Raises OSError, Unavailable."""
        now = self._now()
        before = GraceThresholds(collectable_before(now, rules.grace), now - rules.grace)
        await self._run(rules, report, _removed_images(before))
        await self._run(rules, report, _uploads(now - rules.upload_life, now))
        await self._run(rules, report, _layers(before))
        await self._run(rules, report, _unreferenced_blobs(before, now + rules.linger))
        if not rules.dry_run:
            await self._database.write(lambda tx: garbage.delete_finished_uploads(tx, now - FINISHED_LIFE))
        await self._remove_bytes(rules, report)

    async def _run(self, rules: CollectionRules, report: Report, search: _Search[T, P]) -> None:
        pace, position = Pace(rules.share), search.first
        while True:
            found, after = await pace.read(self._database, partial(_look, search, position))
            for batch in batches(found, _BATCH):
                gone = batch if rules.dry_run else await self._database.write(partial(_remove, search, batch))
                failpoints.hit("G2")
                with pace.working():
                    for one in gone:
                        report(search.describe(one))
            await pace.rest()
            if after is None:
                return
            position = after

    async def _remove_bytes(self, rules: CollectionRules, report: Report) -> None:
        """What is on the list leaves the store, and then the list."""
        now, after = self._now(), ""
        while True:
            due, last = await self._database.read(partial(garbage.due_removals, after=after, now=now, limit=_BATCH))
            if due and not rules.dry_run:
                await self._delete(due)
                failpoints.hit("G3")
                await self._database.write(partial(garbage.finish_removals, done=due))
            for one in due:
                report(Garbage("bytes", one.name, one.size, "their row went before"))
            if last is None:
                return
            after = last

    async def _delete(self, due: list[PendingRemoval]) -> None:
        for one in due:
            if one.kind == UPLOAD:
                await self._blobs.abandon(one.name)
        keys = [one.name for one in due if one.kind == BLOB]
        try:
            await self._blobs.delete(*keys)
        except BlobMissing:  # one of them is of another store, from which the registry was moved
            for key in keys:
                with suppress(BlobMissing):
                    await self._blobs.delete(key)


def _look(search: _Search[T, P], position: P, tx: Transaction) -> tuple[list[T], P | None]:
    return search.find(tx, position)


def _remove(search: _Search[T, P], batch: Sequence[T], tx: Transaction) -> Sequence[T]:
    gone = [one for one in batch if search.remove(tx, one)]
    failpoints.hit("G1")
    return gone


# --- What is looked for, and in this order ----------------------------------------------------------------------


def _removed_images(before: GraceThresholds) -> _Search[DeletedImage, int]:
    def describe(image: DeletedImage) -> Garbage:
        return Garbage("removed image", f"{image.repository}@{image.digest}", 0, "it was deleted long ago")

    return _Search(
        0,
        lambda tx, after: trash.expired(tx, after, before.deleted_at, _BATCH),
        lambda tx, image: trash.forget(tx, image.id),
        describe,
    )


def _uploads(begun_before: int, due_at: int) -> _Search[ExpiredUpload, str]:
    def describe(upload: ExpiredUpload) -> Garbage:
        return Garbage("upload", upload.id, upload.size, f"it was begun in {upload.repository} and never completed")

    return _Search(
        "",
        lambda tx, after: garbage.expired_uploads(tx, after, begun_before, _BATCH),
        lambda tx, upload: garbage.remove_upload(tx, upload, due_at),
        describe,
    )


def _layers(before: GraceThresholds) -> _Search[UnreferencedLayer, int]:
    def describe(layer: UnreferencedLayer) -> Garbage:
        return Garbage("layer", f"{layer.repository}@{layer.digest}", 0, "no image of the repository needs it")

    return _Search(
        0,
        lambda tx, after: garbage.unreferenced_layers(tx, after, before, _ROWS_PER_LOOK),
        lambda tx, layer: garbage.unlink(tx, layer, before),
        describe,
    )


def _unreferenced_blobs(before: GraceThresholds, due_at: int) -> _Search[UnreferencedBlob, int]:
    def describe(blob: UnreferencedBlob) -> Garbage:
        return Garbage("blob", blob.digest, blob.size, "no repository has it")

    return _Search(
        0,
        lambda tx, after: garbage.unreferenced_blobs(tx, after, before, _ROWS_PER_LOOK),
        lambda tx, blob: garbage.remove_blob(tx, blob, due_at),
        describe,
    )
