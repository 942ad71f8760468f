"""Migrate a registry: copy and compare it while it serves, seal it, copy the last changes, and complete the target.

    source   open ───────────────> open, changes are logged ───────────────> sealed ──────────────────────────> moved
    target   unfinished                          following                                          complete
             blobs, pass after pass   rows       changes, pass after pass    the last changes

The source is sealed before the target is complete, and the target is complete before the source counts as moved. So
the two never accept changes at the same time, and the one that does has all acknowledged data. After a run was killed,
the same command continues it. The log and the rows of a target that follows outlive the runs. A run that fails unseals
the source.

    source   open or sealed ──────────> open, without a record
    target   unfinished or following ──> abandoned ─────────────> empty, without a record

Abandoning is decided at the target, so that an interrupted one can only be continued. Then the copies are removed.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from moorage import failpoints
from moorage.core.clock import Clock
from moorage.core.garbage.sweep import Sweeper
from moorage.core.migration.blobs import PAGE_BLOBS, BlobCopier, MigrationEnd, Progress
from moorage.core.migration.changes import ChangeCopier
from moorage.core.migration.rows import RowCopier
from moorage.core.pacing import RateLimit
from moorage.domain.errors import Unavailable
from moorage.metadata.database import Transaction, Work
from moorage.metadata.migration import records
from moorage.metadata.migration.records import (
    ABANDONED,
    COMPLETE,
    FOLLOWING,
    MOVED,
    OPEN,
    SEALED,
    SOURCE,
    TARGET,
    UNFINISHED,
    CopiedBlob,
    MigrationRecord,
)
from moorage.metadata.migration.tables import Table

T = TypeVar("T")

_PASSES: Final = 8
_SHORT_SECONDS: Final = 3.0
"""Another pass copies the blobs that were pushed during the last one, until a pass takes less than this."""
_SHORT_CHANGES_SECONDS: Final = 1.0
"""The same for the changes of rows: the last pass, while the source is sealed, takes about as long."""

_Find = Callable[[Transaction, str, int], list[CopiedBlob]]


class MigrationRefused(Exception):
    """The migration cannot start or continue. The text is for the person who ran the command."""


@dataclass(frozen=True, slots=True)
class MigrationOptions:
    """Options of a migration. With `shared_store` both ends use the same bucket, so blobs are not copied."""

    rate: RateLimit
    shared_store: bool
    now: Clock


class Migration:
    """The migration from `source` to `target`. The caller makes sure that no other process works on it.

    `is_sealed`: the source rejects changes, as far as this run knows. `may_be_complete`: it can no longer be abandoned.
    """

    def __init__(
        self, source: MigrationEnd, target: MigrationEnd, options: MigrationOptions, progress: Progress
    ) -> None:
        self._source = source
        self._target = target
        self._options = options
        self._progress = progress
        self.is_sealed = False
        self.may_be_complete = False

    async def run(self, *, blobs_only: bool) -> None:
        """Start or continue the migration. Raises MigrationRefused, Unavailable, StoreFull, OSError."""
        source, target = await self._begin()
        self.is_sealed = source.state == SEALED
        self.may_be_complete = target.state == COMPLETE
        if target.state != COMPLETE:
            async with self._unseal_on_failure():
                copier = BlobCopier(self._source, self._target, source.id, self._options.rate, self._progress)
                await self._copy_blobs(copier)
                if blobs_only:
                    return
                changes = ChangeCopier(
                    self._source, self._target, self._progress, shared_store=self._options.shared_store
                )
                await self._follow(target, copier, changes)
                await self._last_step(copier, changes)
            failpoints.hit("T5")
            # From here on nothing is undone. If it is unknown whether the next write succeeded, the next run continues.
            self.may_be_complete = True
            await self._target.database.write(_complete)
            failpoints.hit("T6")
        await self._source.database.write(partial(records.set_state, role=SOURCE, state=MOVED))

    async def abandon(self) -> None:
        """Unseal the source, and empty the target. Raises MigrationRefused, Unavailable."""
        source, target = await self._find_records()
        self._check_can_abandon(source, target)
        self.is_sealed = source is not None and source.state == SEALED
        if target is not None:
            await self._target.database.write(partial(records.set_state, role=TARGET, state=ABANDONED))
        if source is not None:
            await asyncio.to_thread(self._source.engine.unseal, partial(records.forget, role=SOURCE))
            self.is_sealed = False
        await asyncio.to_thread(self._source.engine.stop_log)
        failpoints.hit("T7")
        if target is not None:
            await self._row_copier().clear()
            await self._remove_blobs(records.page_of_blobs)
            await self._sweep()
            await self._target.database.write(partial(records.forget, role=TARGET))

    def _check_can_abandon(self, source: MigrationRecord | None, target: MigrationRecord | None) -> None:
        """Check that both records belong to one unfinished migration. Raises MigrationRefused."""
        if source is None and target is None:
            raise MigrationRefused(f"there is no migration from {self._source.name} to {self._target.name}")
        if target is not None and target.state == COMPLETE:
            raise MigrationRefused(
                f"{self._target.name} is complete and may have accepted changes: the migration cannot be abandoned"
            )
        if source is not None and source.state == MOVED:
            raise MigrationRefused(f"{self._source.name} was migrated to {source.other}")
        # Abandoning may have been interrupted after it removed the source's record: then only the name is left.
        is_same = source.id == target.id if source and target else target is None or target.other == self._source.name
        if target is not None and not is_same:
            raise MigrationRefused(f"{self._target.name} is the target of another migration, from {target.other}")

    async def _sweep(self) -> None:
        """Remove unfinished copies from the target, which will never have rows."""
        target = self._target
        if not self._options.shared_store:
            sweeper = Sweeper(target.database, target.blobs, target.listing, self._options.now)
            await sweeper.sweep(lambda _: None, share=1, dry_run=False)

    # --- Starting -----------------------------------------------------------------------------------------------

    async def _find_records(self) -> tuple[MigrationRecord | None, MigrationRecord | None]:
        return (
            await self._source.database.read(partial(records.find, role=SOURCE)),
            await self._target.database.read(partial(records.find, role=TARGET)),
        )

    async def _begin(self) -> tuple[MigrationRecord, MigrationRecord]:
        """The records of this migration at both ends, created if they do not exist.

        Raises MigrationRefused, ForeignStore.
        """
        await self._source.own_store.confirm()
        source, target = await self._find_records()
        if target is not None and target.state == ABANDONED:
            raise MigrationRefused(
                f"the migration from {target.other} to {self._target.name} was given up, but its copies are not removed"
                " yet: finish that with --abandon"
            )
        if source is not None and target is not None and source.id == target.id and source.state != MOVED:
            return source, target
        await self._check_can_begin(source, target)
        now = self._options.now()
        if source is None:
            source = MigrationRecord(SOURCE, str(uuid.uuid4()), OPEN, self._target.name, now)
            await self._source.database.write(partial(records.insert, record=source))
        target = MigrationRecord(TARGET, source.id, UNFINISHED, self._source.name, now)
        await self._target.database.write(partial(records.insert, record=target))
        return source, target

    async def _check_can_begin(self, source: MigrationRecord | None, target: MigrationRecord | None) -> None:
        """Check that the target is empty and the source is not being migrated elsewhere. Raises MigrationRefused."""
        if source is not None and source.state == MOVED:
            raise MigrationRefused(f"{self._source.name} was already migrated to {source.other}")
        if source is not None and source.other != self._target.name:
            raise MigrationRefused(
                f"{self._source.name} is being migrated to {source.other}: finish that migration, or give it up with"
                " the same --to and --abandon"
            )
        if target is not None and target.state in {UNFINISHED, FOLLOWING}:
            raise MigrationRefused(
                f"{self._target.name} is the unfinished target of another migration, from {target.other}"
            )
        if target is not None or not await self._target.database.read(records.has_no_rows):
            raise MigrationRefused(f"{self._target.name} is not empty: choose a target without a registry")
        if await self._source.database.read(records.has_no_rows):
            raise MigrationRefused(f"{self._source.name} is empty: there is nothing to migrate")
        if not self._options.shared_store and (await self._target.own_store.is_marked() or await self._has_objects()):
            raise MigrationRefused(
                f"{self._target.name} has layers of another registry: choose an empty folder or prefix"
            )

    async def _has_objects(self) -> bool:
        async for objects in self._target.listing.objects():
            if objects:
                return True
        return False

    # --- Copying ------------------------------------------------------------------------------------------------

    async def _copy_blobs(self, copier: BlobCopier) -> None:
        for _ in range(_PASSES):
            started = time.monotonic()
            await self._copy_once(copier)
            if time.monotonic() - started < _SHORT_SECONDS:
                return

    async def _copy_once(self, copier: BlobCopier) -> None:
        if self._options.shared_store:
            return
        await copier.copy()
        self._require_undamaged()

    def _require_undamaged(self) -> None:
        """Raises MigrationRefused if blobs were damaged when they were copied."""
        damaged = len(self._progress.damaged)
        if damaged:
            raise MigrationRefused(
                f"{damaged} layers of {self._source.name} are missing or damaged: run moorage verify there, which"
                " repairs them or marks them as missing, and then run this command again"
            )

    async def _follow(self, target: MigrationRecord, blobs: BlobCopier, changes: ChangeCopier) -> None:
        """Copy the rows, and then what changes meanwhile, until little is left."""
        if target.state != FOLLOWING:
            await self._copy_rows(blobs)
        await self._remove_blobs(records.orphaned_blobs)
        self._progress.step = "copying changes"
        for _ in range(0 if self.is_sealed else _PASSES):
            started = time.monotonic()
            await self._copy_changes(blobs, changes, is_last=False)
            if time.monotonic() - started < _SHORT_CHANGES_SECONDS:
                return

    async def _copy_rows(self, blobs: BlobCopier) -> None:
        """Copy all rows of one state of the source, compare them, and note that the target follows from there on."""
        if not self.is_sealed:
            await _finish(self._source.engine.log_changes, self._copied_tables())
        await self._copy_once(blobs)  # All blobs that are not in the log.
        copier = self._row_copier()
        self._progress.step = "copying rows"
        await copier.clear()
        expected = await copier.copy(is_logged=not self.is_sealed)
        await asyncio.to_thread(self._target.engine.analyze)
        self._progress.step = "comparing both sides"
        different = await copier.differences(expected)
        if different:
            raise Unavailable(
                reason=f"the rows of {', '.join(different)} at {self._target.name} differ from the source"
            )
        await self._target.database.write(partial(records.set_state, role=TARGET, state=FOLLOWING))
        failpoints.hit("T8")

    async def _copy_changes(self, blobs: BlobCopier, changes: ChangeCopier, *, is_last: bool) -> None:
        if not self._options.shared_store:
            await changes.copy_blobs(blobs)
            self._require_undamaged()
        await changes.copy(is_last=is_last)

    async def _last_step(self, blobs: BlobCopier, changes: ChangeCopier) -> None:
        """Seal the source, and copy what is left: the last changes."""
        self._progress.step = "last step: changes are rejected"
        if not self.is_sealed:
            self.is_sealed = True
            await _finish(self._source.engine.seal, partial(records.set_state, role=SOURCE, state=SEALED))
        failpoints.hit("T3")
        await self._copy_changes(blobs, changes, is_last=True)
        await asyncio.to_thread(self._target.engine.advance_sequences)

    @asynccontextmanager
    async def _unseal_on_failure(self) -> AsyncIterator[None]:
        """Unseal the source if the block fails or is canceled."""
        try:
            yield
        except BaseException:
            if self.is_sealed:
                await _finish(self._source.engine.unseal, partial(records.set_state, role=SOURCE, state=OPEN))
                self.is_sealed = False
            raise

    def _copied_tables(self) -> list[Table]:
        return records.copied_tables(shared_store=self._options.shared_store)

    def _row_copier(self) -> RowCopier:
        return RowCopier(self._source, self._target, self._progress, shared_store=self._options.shared_store)

    async def _remove_blobs(self, find: _Find) -> None:
        """Remove copies from the target: first the bytes, then their records."""
        after = ""
        while found := await self._target.database.read(_slice(find, after)):
            await self._target.blobs.delete(*(blob.key for blob in found))
            await self._target.database.write(partial(records.forget_blobs, blobs=found))
            after = found[-1].source_key


async def _finish(change: Callable[[T], None], work: T) -> None:
    """Change the source's triggers, and wait for it even if this task is canceled: the code after it relies on it."""
    changing = asyncio.ensure_future(asyncio.to_thread(change, work))
    try:
        await asyncio.shield(changing)
    except asyncio.CancelledError:
        await asyncio.wait([changing])
        raise


def _complete(tx: Transaction) -> None:
    records.forget_all_blobs(tx)
    records.set_state(tx, TARGET, COMPLETE)


def _slice(find: _Find, after: str) -> Work[list[CopiedBlob]]:
    return lambda tx: find(tx, after, PAGE_BLOBS)
