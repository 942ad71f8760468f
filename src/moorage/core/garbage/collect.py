"""The collector: finds and removes garbage while pushes and pulls continue.

Each removal is decided in the transaction that deletes the row, under the row's lock
(`metadata/garbage/unreferenced.py`). That transaction adds the bytes to a list of pending removals, from which they are
deleted later. After a crash in between they are still on the list. A removal never waits for a client, and blocks
clients only for one small transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final, Generic, TypeVar

from moorage import failpoints
from moorage.core.clock import Clock
from moorage.core.garbage import deletions
from moorage.core.garbage.grace import collectable_before
from moorage.core.pacing import Throttle
from moorage.core.registry.layers import FINISHED_LIFE, UPLOAD_LIFE
from moorage.domain.batches import batches
from moorage.domain.ports import BlobMissing, BlobStore
from moorage.domain.units import HOUR
from moorage.metadata.database import LARGEST_INTEGER, Database, Transaction
from moorage.metadata.garbage import deleted_images, deleted_repositories, future_times, unreferenced
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
"""The longest time that bytes outlive their row: downloads may be in progress, and download links valid."""

_ROWS_PER_QUERY: Final = 1000
"""Rows that one search query reads, which takes about a millisecond."""

_BATCH: Final = 100
"""Removals in one transaction."""


@dataclass(frozen=True, slots=True)
class CollectionRules:
    """What counts as garbage, and the share of one processor's time to spend on it (`share`, at most 1).

    `grace` and `upload_life` are microseconds. With `dry_run` garbage is only reported.
    """

    grace: int
    upload_life: int = UPLOAD_LIFE
    share: float = 0.05
    dry_run: bool = False

    @property
    def linger(self) -> int:
        return min(self.grace, LINGER)


@dataclass(frozen=True, slots=True)
class GarbageItem:
    """Something that was removed, or would be in a dry run. `size` in bytes, `why` for people."""

    kind: str
    name: str
    size: int
    why: str


ReportItem = Callable[[GarbageItem], None]


class Totals:
    """Counts reported items and their bytes by kind."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.sizes: dict[str, int] = {}

    def __call__(self, item: GarbageItem) -> None:
        self.counts[item.kind] = self.counts.get(item.kind, 0) + 1
        self.sizes[item.kind] = self.sizes.get(item.kind, 0) + item.size


@dataclass(frozen=True, slots=True)
class _Search(Generic[T, P]):
    """How to find one kind of garbage, in slices from the position `first`, and how to remove it."""

    first: P
    find: Callable[[Transaction, P], tuple[list[T], P | None]]
    remove: Callable[[Transaction, T], bool]
    describe: Callable[[T], GarbageItem]


class Collector:
    """Removes garbage. Several runs, also in several processes, can work at the same time."""

    def __init__(self, database: Database, blobs: BlobStore, now: Clock) -> None:
        self._database = database
        self._blobs = blobs
        self._now = now

    async def collect(self, rules: CollectionRules, report: ReportItem) -> None:
        """Remove and report the garbage at this moment, or only report it. Raises OSError, Unavailable."""
        now = self._now()
        latest = LARGEST_INTEGER if rules.dry_run else now + LINGER
        if not rules.dry_run:
            await self._database.write(partial(future_times.limit, latest=latest))
            await self._finish_deletions(rules.share)
        before = GraceThresholds(collectable_before(now, rules.grace), now - rules.grace, latest)
        await self._run(rules, report, _deleted_images(before))
        await self._run(rules, report, _uploads(now - rules.upload_life, now))
        await self._run(rules, report, _layers(before))
        await self._run(rules, report, _unreferenced_blobs(before, now + rules.linger))
        if not rules.dry_run:
            await self._database.write(lambda tx: unreferenced.delete_finished_uploads(tx, now - FINISHED_LIFE))
        await self._remove_bytes(rules, report)

    async def _finish_deletions(self, share: float) -> None:
        """Remove what is left of deleted repositories, also of those whose job was dropped or given up."""
        for repository_id in await self._database.read(deleted_repositories.ids):
            await deletions.remove(self._database, repository_id, share)

    async def _run(self, rules: CollectionRules, report: ReportItem, search: _Search[T, P]) -> None:
        throttle, position = Throttle(rules.share), search.first
        while True:
            found, after = await throttle.read(self._database, partial(_find, search, position))
            for batch in batches(found, _BATCH):
                removed = batch if rules.dry_run else await self._database.write(partial(_remove, search, batch))
                failpoints.hit("G2")
                with throttle.working():
                    for item in removed:
                        report(search.describe(item))
            await throttle.rest()
            if after is None:
                return
            position = after

    async def _remove_bytes(self, rules: CollectionRules, report: ReportItem) -> None:
        """Delete the bytes of pending removals, and then the list's rows."""
        now, after = self._now(), ""
        while True:
            due, last = await self._database.read(
                partial(unreferenced.due_removals, after=after, now=now, limit=_BATCH)
            )
            if due and not rules.dry_run:
                await self._delete(due)
                failpoints.hit("G3")
                await self._database.write(partial(unreferenced.finish_removals, done=due))
            for removal in due:
                report(GarbageItem("bytes", removal.name, removal.size, "their row was removed before"))
            if last is None:
                return
            after = last

    async def _delete(self, due: list[PendingRemoval]) -> None:
        for removal in due:
            if removal.kind == UPLOAD:
                await self._blobs.abandon(removal.name)
        keys = [removal.name for removal in due if removal.kind == BLOB]
        try:
            await self._blobs.delete(*keys)
        except BlobMissing:  # One key belongs to another store, from which the registry was migrated.
            for key in keys:
                with suppress(BlobMissing):
                    await self._blobs.delete(key)


def _find(search: _Search[T, P], position: P, tx: Transaction) -> tuple[list[T], P | None]:
    return search.find(tx, position)


def _remove(search: _Search[T, P], batch: Sequence[T], tx: Transaction) -> Sequence[T]:
    removed = [item for item in batch if search.remove(tx, item)]
    failpoints.hit("G1")
    return removed


# --- The kinds of garbage, in the order of the search -------------------------------------------------------------


def _deleted_images(before: GraceThresholds) -> _Search[DeletedImage, int]:
    def describe(image: DeletedImage) -> GarbageItem:
        return GarbageItem("deleted image", f"{image.repository}@{image.digest}", 0, "its grace period is over")

    return _Search(
        0,
        lambda tx, after: deleted_images.expired(tx, after, before.deleted_at, _BATCH),
        lambda tx, image: deleted_images.forget(tx, image.id),
        describe,
    )


def _uploads(begun_before: int, due_at: int) -> _Search[ExpiredUpload, str]:
    def describe(upload: ExpiredUpload) -> GarbageItem:
        return GarbageItem(
            "upload", upload.id, upload.size, f"it was started in {upload.repository}, but not completed"
        )

    return _Search(
        "",
        lambda tx, after: unreferenced.expired_uploads(tx, after, begun_before, _BATCH),
        lambda tx, upload: unreferenced.remove_upload(tx, upload, due_at),
        describe,
    )


def _layers(before: GraceThresholds) -> _Search[UnreferencedLayer, int]:
    def describe(layer: UnreferencedLayer) -> GarbageItem:
        return GarbageItem("layer", f"{layer.repository}@{layer.digest}", 0, "no image of the repository references it")

    return _Search(
        0,
        lambda tx, after: unreferenced.unreferenced_layers(tx, after, before, _ROWS_PER_QUERY),
        lambda tx, layer: unreferenced.unlink(tx, layer, before),
        describe,
    )


def _unreferenced_blobs(before: GraceThresholds, due_at: int) -> _Search[UnreferencedBlob, int]:
    def describe(blob: UnreferencedBlob) -> GarbageItem:
        return GarbageItem("blob", blob.digest, blob.size, "it is not a layer of any repository")

    return _Search(
        0,
        lambda tx, after: unreferenced.unreferenced_blobs(tx, after, before, _ROWS_PER_QUERY),
        lambda tx, blob: unreferenced.remove_blob(tx, blob, due_at),
        describe,
    )
