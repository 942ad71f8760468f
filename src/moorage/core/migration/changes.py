"""Copy what changed in the source of a migration since its rows were copied: the rows that the log of changes names.

Rows are compared by key, in one state of the source. What differs is written in an order in which the target's
references and unique indexes hold after each step:

    rows that are gone, tables that refer to others first; the rest of what referred to them has changed, too
    for each table, those that it refers to first: rows that give up a unique value, other changes, new rows

A pass that was interrupted is repeated, because its entries are removed from the log when everything is copied.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from moorage import failpoints
from moorage.core.migration.blobs import BlobCopier, MigrationEnd, Progress
from moorage.core.migration.storage_keys import StorageKeys
from moorage.domain.batches import batches
from moorage.domain.errors import Unavailable
from moorage.metadata.database import Snapshot, Work
from moorage.metadata.garbage import verification
from moorage.metadata.migration import changed_rows, records, tables
from moorage.metadata.migration.changed_rows import Change
from moorage.metadata.migration.tables import Row, Table

_BATCH_ENTRIES: Final = 1000


@dataclass(frozen=True, slots=True)
class _Difference:
    """A page of changes of a table. `wanted` and `present` are the rows that they name, by key, on the two sides."""

    table: Table
    changes: Sequence[Change]
    wanted: Mapping[Row, Row]
    present: Mapping[Row, Row]

    @property
    def gone(self) -> list[Row]:
        """Keys of rows to delete."""
        return [key for key in self.present if key not in self.wanted]

    @property
    def changed(self) -> list[Row]:
        """Rows to change."""
        return [row for key, row in self.wanted.items() if self.present.get(key, row) != row]

    @property
    def new(self) -> list[Row]:
        """Rows to add."""
        return [row for key, row in self.wanted.items() if key not in self.present]

    @property
    def moving(self) -> list[Row]:
        """Keys of rows that give up their place in a unique index."""
        places = {column for index in self.table.unique for column in index.columns}
        keys = [self.table.key_of(row) for row in self.changed]
        return [key for key in keys if any(self._differs(key, column) for column in places)]

    def replaced(self, column: str) -> list[str]:
        """Values of the target's rows that no row has any more."""
        keys = [key for key in self.present if key not in self.wanted or self._differs(key, column)]
        return [self.table.value_of(self.present[key], column) for key in keys]

    def _differs(self, key: Row, column: str) -> bool:
        return bool(self.table.value_of(self.wanted[key], column) != self.table.value_of(self.present[key], column))


class ChangeCopier:
    """Copies the changes in the log of `source` to `target`, which has the other rows."""

    def __init__(self, source: MigrationEnd, target: MigrationEnd, progress: Progress, *, shared_store: bool) -> None:
        self._source = source
        self._target = target
        self._progress = progress
        self._shared_store = shared_store
        self._keys = self._new_keys()
        self._tables = records.copied_tables(shared_store=shared_store)

    async def copy_blobs(self, copier: BlobCopier) -> None:
        """Copy the bytes of new blobs. Raises Unavailable, StoreFull, OSError."""
        table, after = next(table for table in self._tables if table.name == "blob"), 0
        read = self._source.database.read
        while changes := await read(partial(changed_rows.page, table=table, after=after)):
            after = changes[-1].id
            ids = sorted({change.key[0] for change in changes})
            await copier.copy_rows(await read(partial(verification.blobs_of_ids, ids=ids)))

    async def copy(self, *, is_last: bool) -> None:
        """Copy all changes, compare them, and, unless this is the last pass, remove them from the log.

        Raises Unavailable, also for rows that differ afterwards, and if the last pass finds a blob without a copy.
        """
        replaced: list[str] = []
        self._keys = self._new_keys()
        async with self._source.database.snapshot() as state:
            names = await state.read(changed_rows.changed_tables)
            changed = [table for table in self._tables if table.name in names]
            for table in reversed(changed):
                async for page in self._pages(state, table, is_last=is_last):
                    if table.name == "blob":
                        replaced += page.replaced("storage_key")
                    await self._write(partial(tables.delete, table=table, keys=page.gone), page.gone)
                    self._progress.rows -= len(page.gone)
            for table in changed:
                await self._write_table(state, table, is_last=is_last)
            failpoints.hit("T10")
            copied = [entry for table in changed for entry in await self._compare(state, table, is_last=is_last)]
        await self._remove_copies(replaced)
        if not is_last:
            for ids in batches(copied, _BATCH_ENTRIES):
                await self._source.database.write(partial(changed_rows.forget, ids=ids))

    def _new_keys(self) -> StorageKeys:
        return StorageKeys(self._source, self._target, shared_store=self._shared_store)

    async def _write_table(self, state: Snapshot, table: Table, *, is_last: bool) -> None:
        pages = partial(self._pages, state, table, is_last=is_last)
        if table.unique:
            async for page in pages():
                await self._write(partial(tables.set_apart, table=table, keys=page.moving), page.moving)
        async for page in pages():
            await self._write(partial(tables.update, table=table, rows=page.changed), page.changed)
        async for page in pages():
            await self._write(partial(tables.insert, table=table, rows=page.new), page.new)
            self._progress.rows += len(page.new)

    async def _pages(self, state: Snapshot, table: Table, *, is_last: bool) -> AsyncIterator[_Difference]:
        """The differences between the two sides, as far as the log names rows of this table."""
        after = 0
        while changes := await state.read(partial(changed_rows.page, table=table, after=after)):
            after = changes[-1].id
            find: Callable[..., dict[Row, Row]] = partial(
                tables.rows_of, table=table, keys=list(dict.fromkeys(change.key for change in changes))
            )
            found = list((await state.read(find)).values())
            wanted = await self._keys.at_target(table, found, is_logged=not is_last)
            present = await self._target.database.read(find)
            yield _Difference(table, changes, {table.key_of(row): row for row in wanted}, present)

    async def _write(self, work: Work[None], rows: Sequence[Row]) -> None:
        """Do the work if it has rows."""
        if rows:
            await self._target.database.write(work)
            failpoints.hit("T9")

    async def _compare(self, state: Snapshot, table: Table, *, is_last: bool) -> list[int]:
        """Check that both sides have the same rows; returns the entries that are done. Raises Unavailable."""
        done: list[int] = []
        async for page in self._pages(state, table, is_last=is_last):
            if page.present != page.wanted:
                raise Unavailable(reason=f"the rows of {table.name} at {self._target.name} differ from the source")
            waiting = {key for key, row in page.wanted.items() if self._waits(table, row)}
            done += [change.id for change in page.changes if change.key not in waiting]
        return done

    def _waits(self, table: Table, row: Row) -> bool:
        """Whether this is the row of a blob that was pushed after the last blobs were copied."""
        return table.name == "blob" and table.value_of(row, "storage_key") in self._keys.missing

    async def _remove_copies(self, replaced: Sequence[str]) -> None:
        """Remove the copies of blobs that the source no longer has: first the bytes, then their records."""
        for keys in batches(replaced, _BATCH_ENTRIES):
            orphans = await self._target.database.read(partial(records.orphans_at, keys=keys))
            await self._target.blobs.delete(*(blob.key for blob in orphans))
            await self._target.database.write(partial(records.forget_blobs, blobs=orphans))
