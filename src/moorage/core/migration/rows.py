"""Copy rows to the target of a migration, table by table in key order, and compare them.

The only table that gets special treatment is that of blobs, because storage keys differ at the target.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from typing import Final

import msgspec

from moorage import failpoints
from moorage.core.migration.blobs import MigrationEnd, Progress
from moorage.domain.errors import Unavailable
from moorage.metadata.database import Snapshot
from moorage.metadata.migration import records, tables
from moorage.metadata.migration.tables import Row, Table

_BATCH_ROWS: Final = 2000


Summary = tuple[int, str]
"""The number of rows, and the SHA-256 of all rows in key order."""


class Fingerprint:
    """Computes the summary of rows."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._rows = 0

    def add(self, rows: Sequence[Row]) -> None:
        self._rows += len(rows)
        for row in rows:  # One by one, so that the digest does not depend on the length of pages.
            self._hash.update(msgspec.msgpack.encode(row))

    @property
    def summary(self) -> Summary:
        return self._rows, self._hash.hexdigest()


class RowCopier:
    """Copies the rows of a sealed source to a target that does not serve yet."""

    def __init__(self, source: MigrationEnd, target: MigrationEnd, progress: Progress, *, shared_store: bool) -> None:
        self._source = source
        self._target = target
        self._progress = progress
        self._shared_store = shared_store
        self._tables = records.copied_tables(shared_store=shared_store)

    async def clear(self) -> None:
        """Delete the rows that an earlier run copied."""
        for table in reversed(self._tables):
            await self._target.database.write(partial(tables.clear, table=table))

    async def copy(self) -> dict[str, Summary]:
        """Copy all rows; returns the summaries that the target's tables must have."""
        self._progress.rows = 0
        async with self._source.database.snapshot() as state:
            return {table.name: await self._copy_table(state, table) for table in self._tables}

    async def differences(self, expected: dict[str, Summary]) -> list[str]:
        """The tables whose rows at the target differ from those that were copied."""
        async with self._target.database.snapshot() as state:
            return [table.name for table in self._tables if await self._summary(state, table) != expected[table.name]]

    async def _copy_table(self, state: Snapshot, table: Table) -> Summary:
        fingerprint, waiting = Fingerprint(), list[Row]()
        after: Row | None = None
        while rows := await state.read(partial(tables.page, table=table, after=after)):
            after = table.key_of(rows[-1])
            if table.name == "blob" and not self._shared_store:
                rows = await self._with_new_keys(table, rows)
            fingerprint.add(rows)
            waiting += rows
            if len(waiting) >= _BATCH_ROWS:
                await self._insert(table, waiting)
                waiting = []
        if waiting:
            await self._insert(table, waiting)
        return fingerprint.summary

    async def _insert(self, table: Table, rows: list[Row]) -> None:
        await self._target.database.write(partial(tables.insert, table=table, rows=rows))
        self._progress.rows += len(rows)
        failpoints.hit("T4")

    async def _with_new_keys(self, table: Table, rows: list[Row]) -> list[Row]:
        """Rows of blobs with their storage keys at the target; damaged blobs keep their key, as they have no bytes.

        Raises Unavailable if an intact blob is missing at the target.
        """
        key, damaged = table.columns.index("storage_key"), table.columns.index("damaged_at")
        copied = await self._target.database.read(partial(records.copied_blobs, source_keys=[row[key] for row in rows]))
        missing = [row[key] for row in rows if row[key] not in copied and row[damaged] is None]
        if missing:
            raise Unavailable(reason=f"{missing[0]} of {self._source.name} is missing at {self._target.name}")
        return [(*row[:key], copied[row[key]].key, *row[key + 1 :]) if row[key] in copied else row for row in rows]

    async def _summary(self, state: Snapshot, table: Table) -> Summary:
        fingerprint = Fingerprint()
        after: Row | None = None
        while rows := await state.read(partial(tables.page, table=table, after=after)):
            after = table.key_of(rows[-1])
            fingerprint.add(rows)
        return fingerprint.summary
