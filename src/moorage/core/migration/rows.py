"""Rows on their way from one registry to another: table by table in the order of their keys, and then compared.

Nothing here knows a table but that of the blobs, whose storage keys are others at the target.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from typing import Final

import msgspec

from moorage import failpoints
from moorage.core.migration.blobs import Progress, Side
from moorage.domain.errors import Unavailable
from moorage.metadata.database import Snapshot
from moorage.metadata.migration import moves, tables
from moorage.metadata.migration.tables import Row, Table

_BATCH_ROWS: Final = 2000


Summary = tuple[int, str]
"""How many rows there are, and the digest of all of them in their order."""


class Fingerprint:
    """Sums rows up."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._rows = 0

    def add(self, rows: Sequence[Row]) -> None:
        self._rows += len(rows)
        for row in rows:  # One by one: pages are as long as they like.
            self._hash.update(msgspec.msgpack.encode(row))

    @property
    def summary(self) -> Summary:
        return self._rows, self._hash.hexdigest()


class RowCopier:
    """Copies the rows of `source`, which is sealed, to `target`, where nobody is yet."""

    def __init__(self, source: Side, target: Side, progress: Progress, *, shared_store: bool) -> None:
        self._source = source
        self._target = target
        self._progress = progress
        self._shared_store = shared_store
        self._tables = moves.copied_tables(shared_store=shared_store)

    async def clear(self) -> None:
        """Remove what a run before has copied."""
        for table in reversed(self._tables):
            await self._target.database.write(partial(tables.clear, table=table))

    async def copy(self) -> dict[str, Summary]:
        """Copy everything, and return what the target must have now."""
        self._progress.rows = 0
        async with self._source.database.snapshot() as state:
            return {table.name: await self._copy_table(state, table) for table in self._tables}

    async def differing(self, expected: dict[str, Summary]) -> list[str]:
        """The tables whose rows at the target are not those that were copied."""
        async with self._target.database.snapshot() as state:
            return [table.name for table in self._tables if await self._found(state, table) != expected[table.name]]

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
        """Rows of blobs with the keys that the target gave; one that was found damaged names bytes that are nowhere.

        Raises Unavailable for a blob that is not at the target.
        """
        key, damaged = table.columns.index("storage_key"), table.columns.index("damaged_at")
        moved = await self._target.database.read(partial(moves.moved_blobs, source_keys=[row[key] for row in rows]))
        lacking = [row[key] for row in rows if row[key] not in moved and row[damaged] is None]
        if lacking:
            raise Unavailable(reason=f"{lacking[0]} of {self._source.name} is not at {self._target.name}")
        return [(*row[:key], moved[row[key]].key, *row[key + 1 :]) if row[key] in moved else row for row in rows]

    async def _found(self, state: Snapshot, table: Table) -> Summary:
        fingerprint = Fingerprint()
        after: Row | None = None
        while rows := await state.read(partial(tables.page, table=table, after=after)):
            after = table.key_of(rows[-1])
            fingerprint.add(rows)
        return fingerprint.summary
