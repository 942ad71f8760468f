"""Rows of upload states of object stores: opaque bytes with a version, which every change must name."""

from __future__ import annotations

from moorage.metadata.database import Database, Transaction


def forget(tx: Transaction, upload: str) -> None:
    """Delete the state of an upload, in the transaction that ends the upload."""
    tx.run("DELETE FROM upload_state WHERE upload = :upload", upload=upload)


class StoredUploadStates:
    """`UploadStates` in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self, upload: str) -> tuple[int, bytes]:
        """See `UploadStates.load`."""
        statement = "SELECT version, state FROM upload_state WHERE upload = :upload"
        row = await self._database.read(lambda tx: tx.one(statement, upload=upload))
        return (row[0], row[1]) if row else (0, b"")

    async def save(self, upload: str, version: int, state: bytes) -> bool:
        """See `UploadStates.save`."""
        return await self._database.write(lambda tx: _save(tx, upload, version, state))

    async def remove(self, upload: str, version: int) -> bool:
        """See `UploadStates.remove`."""
        statement = "DELETE FROM upload_state WHERE upload = :upload AND version = :version"
        return bool(await self._database.write(lambda tx: tx.run(statement, upload=upload, version=version)))


def _save(tx: Transaction, upload: str, version: int, state: bytes) -> bool:
    if version == 0:
        statement = (
            "INSERT INTO upload_state (upload, version, state) VALUES (:upload, 1, :state) ON CONFLICT DO NOTHING"
        )
        return bool(tx.run(statement, upload=upload, state=state))
    return bool(
        tx.run(
            "UPDATE upload_state SET version = version + 1, state = :state"
            " WHERE upload = :upload AND version = :version",
            upload=upload,
            version=version,
            state=state,
        )
    )
