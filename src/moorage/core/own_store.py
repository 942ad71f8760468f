"""The registry's own blob store: a store is checked for the registry's marker before anything relies on it.

The store holds a marker, and the database records it. A store without it belongs to another registry, is not mounted,
or was never used: serving from it answers 404 for every layer, verifying it marks every layer as missing, and sweeping
it deletes the layers of its own registry. docs/decisions/0032-own-blob-store.md has the reasons.
"""

from __future__ import annotations

import uuid
from functools import partial
from typing import Final

from moorage.domain.ports import BlobMissing, MarkedStore
from moorage.metadata.database import Database
from moorage.metadata.migration import records
from moorage.metadata.registry import own_store as rows

_SAMPLE: Final = 20
"""Blobs of a database without a record that are looked for. Any one that is found shows that the store is its own."""


class ForeignStore(Exception):
    """The blob store does not belong to this registry. The text gives the next step."""


class OwnStore:
    """Confirms that `store`, which the settings name `place`, belongs to the registry of `database`."""

    def __init__(self, database: Database, store: MarkedStore, place: str) -> None:
        self._database = database
        self._store = store
        self._place = place

    async def confirm(self) -> None:
        """Check the marker; the first use of a store records it. Raises ForeignStore, Unavailable, StoreFull, OSError.

        The marker is read before the record, so a record that another process makes meanwhile is not a mismatch.
        """
        marker = await self._store.marker()
        record = await self._database.read(rows.find)
        if record is None or not record.is_marked:
            await self._claim(record, marker)
        elif marker != record.marker != await self._store.marker():
            raise ForeignStore(
                f"{self._place} is not the blob store of this registry, whose layers are in {record.place}. Use the"
                " --blobs (or MOORAGE_BLOBS) of its server. If you moved or restored the layers yourself, run"
                " `moorage adopt-blobs`."
            )

    async def is_marked(self) -> bool:
        """Whether the store belongs to any registry."""
        return await self._store.marker() is not None

    async def adopt(self, *, without_layers: bool) -> None:
        """Make the store the registry's own. Raises ForeignStore if it has no layer of it, unless `without_layers`."""
        keys = await self._sample()
        if keys and not without_layers and not await self._has_any(keys):
            raise ForeignStore(
                f"{self._place} has none of the newest layers of this registry. If they are lost, run the command with"
                " --without-layers: clients then have to push them again."
            )
        await self._database.write(rows.forget)
        await self._mark(str(uuid.uuid4()))

    async def _claim(self, record: rows.OwnStoreRecord | None, marker: str | None) -> None:
        """Record a store, or finish a recording that was interrupted before its marker. Raises ForeignStore."""
        if await self._database.read(records.is_sealed):
            return  # Nothing can be recorded, and a sealed registry neither stores nor sweeps.
        if record is None:
            await self._check_unrecorded(marker)
        elif marker not in {None, record.marker}:
            raise ForeignStore(f"{self._place} holds the layers of another registry.{_ADVICE}")
        await self._mark(record.marker if record else marker or str(uuid.uuid4()))

    async def _check_unrecorded(self, marker: str | None) -> None:
        """Check a store for a database that has no record: a new one, or one that an earlier version created."""
        keys = await self._sample()
        if keys:
            if not await self._has_any(keys):
                raise ForeignStore(f"{self._place} has none of the newest layers of this registry.{_ADVICE}")
        elif marker is not None:
            raise ForeignStore(f"{self._place} holds the layers of another registry.{_ADVICE}")

    async def _mark(self, marker: str) -> None:
        record = await self._database.write(partial(rows.insert, marker=marker, place=self._place))
        await self._store.mark(record.marker)
        await self._database.write(rows.set_marked)

    async def _sample(self) -> list[str]:
        return await self._database.read(partial(rows.newest_keys, limit=_SAMPLE))

    async def _has_any(self, keys: list[str]) -> bool:
        for key in keys:
            if await self._has(key):
                return True
        return False

    async def _has(self, key: str) -> bool:
        try:
            await self._store.size(key)
        except BlobMissing:
            return False
        return True


_ADVICE: Final = (
    " Name the blob store of this registry with --blobs (or MOORAGE_BLOBS). If you moved or restored the layers"
    " yourself, run `moorage adopt-blobs`."
)
