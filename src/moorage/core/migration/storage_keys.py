"""Storage keys at the target of a migration. Rows of blobs are the only ones that differ at the target."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from moorage.core.migration.blobs import MigrationEnd
from moorage.domain.errors import Unavailable
from moorage.metadata.migration import records
from moorage.metadata.migration.tables import Row, Table


class StorageKeys:
    """Replaces the storage keys of the source in rows of blobs. `missing` has the keys that had no copy so far."""

    def __init__(self, source: MigrationEnd, target: MigrationEnd, *, shared_store: bool) -> None:
        self._source = source
        self._target = target
        self._shared_store = shared_store
        self.missing: set[str] = set()

    async def at_target(self, table: Table, rows: Sequence[Row], *, is_logged: bool) -> Sequence[Row]:
        """Rows of any table as the target has them. Damaged blobs keep their key, as they have no bytes.

        An intact blob without a copy is new, and keeps its key if it `is_logged`, because the rows in the log are
        copied again. Otherwise raises Unavailable.
        """
        if table.name != "blob" or self._shared_store:
            return rows
        place = table.columns.index("storage_key")
        copied = await self._target.database.read(
            partial(records.copied_blobs, source_keys=[row[place] for row in rows])
        )
        missing = {row[place] for row in rows if row[place] not in copied and table.value_of(row, "damaged_at") is None}
        if missing and not is_logged:
            raise Unavailable(reason=f"{min(missing)} of {self._source.name} is missing at {self._target.name}")
        self.missing |= missing
        return [
            (*row[:place], copied[row[place]].key, *row[place + 1 :]) if row[place] in copied else row for row in rows
        ]
