"""Copy rows to the target of a migration, table by table in key order, and compare them.

All rows are read from one state of the source. Rows that change meanwhile are in the log (`changes.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from typing import Final

import msgspec

from moorage import failpoints
from moorage.core.migration.blobs import MigrationEnd, Progress
from moorage.core.migration.storage_keys import StorageKeys
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
    """Copies the rows of a source to a target that does not serve yet."""

    def __init__(self, source: MigrationEnd, target: MigrationEnd, progress: Progress, *, shared_store: bool) -> None:
        self._source = source
        self._target = target
        self._progress = progress
        self._keys = StorageKeys(source, target, shared_store=shared_store)
        self._tables = records.copied_tables(shared_store=shared_store)

    async def clear(self) -> None:
        """Delete the rows that an earlier run copied."""
        for table in reversed(self._tables):
            await self._target.database.write(partial(tables.clear, table=table))

    async def copy(self, *, is_logged: bool) -> dict[str, Summary]:
        """Copy all rows; returns the summaries that the target's tables must have.

        Raises Unavailable if an intact blob is missing at the target and the log of changes does not have it.
        """
        self._progress.rows = 0
        async with self._source.database.snapshot() as state:
            return {table.name: await self._copy_table(state, table, is_logged=is_logged) for table in self._tables}

    async def differences(self, expected: dict[str, Summary]) -> list[str]:
        """The tables whose rows at the target differ from those that were copied."""
        async with self._target.database.snapshot() as state:
            return [table.name for table in self._tables if await self._summary(state, table) != expected[table.name]]

    async def _copy_table(self, state: Snapshot, table: Table, *, is_logged: bool) -> Summary:
        fingerprint, waiting = Fingerprint(), list[Row]()
        after: Row | None = None
        while read := await state.read(partial(tables.page, table=table, after=after)):
            after = table.key_of(read[-1])
            rows = await self._keys.at_target(table, read, is_logged=is_logged)
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

    async def _summary(self, state: Snapshot, table: Table) -> Summary:
        fingerprint = Fingerprint()
        after: Row | None = None
        while rows := await state.read(partial(tables.page, table=table, after=after)):
            after = table.key_of(rows[-1])
            fingerprint.add(rows)
        return fingerprint.summary
