"""A backup: a folder with the files of a data folder that a server needs to start from it.

moorage.db       the database of the last complete backup      moorage.db.new   the one of a backup in progress
blobs/           the layers of both                            master.key, tls/  secrets, only on request
server.lock      locked by a backup in progress, and by a server that runs on the folder
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncIterator
from pathlib import Path

from moorage.adapters.data_folder import DataFolder, FolderInUse
from moorage.adapters.files.blob_store import UPLOAD_LENGTH, FileBlobStore
from moorage.adapters.files.durable import make_folders, replace_file, sync_folder
from moorage.domain.ports import FileLink, StoredObject


class BackupUnusable(Exception):
    """The folder cannot hold the backup. The text gives the reason."""


class BackupFolder:
    """The folder of a backup, locked until `close`. Use it from one event loop."""

    def __init__(self, path: Path) -> None:
        self._folder = DataFolder(path)
        self._path = path
        self._store = FileBlobStore(path)
        self.new_database = path / "moorage.db.new"

    async def prepare(self, marker: str | None) -> None:
        """Create or check the folder; `marker` is that of the registry's store. Raises BackupUnusable, OSError."""
        try:
            self._folder.prepare()
            self._folder.lock()
        except FolderInUse:
            raise BackupUnusable(f"{self._path} is in use by another backup, or by a server") from None
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:
                raise
            raise BackupUnusable(f"{self._path} is not empty and not a backup: choose another folder") from None
        if self._folder.endpoint() is not None:
            raise BackupUnusable(f"{self._path} is the data folder of a server: choose another folder")
        found = await self._store.marker()
        if found != marker and (found is not None or self._folder.database.exists()):
            raise BackupUnusable(f"{self._path} has the backup of another registry: choose another folder")
        self._store.prepare()
        if marker is not None:
            await self._store.mark(marker)
        async for uploads in self._store.uploads():  # of a backup that was killed
            for upload in uploads:
                await self._store.abandon(upload)

    def close(self) -> None:
        self._store.close()
        self._folder.unlock()

    async def has(self, key: str, size: int) -> bool:
        """Whether the folder has this blob with this size. Its bytes were compared with the digest when they came."""
        return await asyncio.to_thread(_has_size, self._path / key, size)

    async def add(self, key: str, digest: str, size: int, chunks: AsyncIterator[bytes]) -> str:
        """Store a blob, durably, unless `chunks` have another digest; returns theirs. Raises StoreFull, OSError."""
        upload, algorithm = key[-UPLOAD_LENGTH:], digest.partition(":")[0]
        try:
            await self._store.append(upload, 0, chunks, algorithm)
            found = await self._store.digest(upload, size, algorithm)
        except BaseException:
            await self._store.abandon(upload)
            raise
        if found == digest:
            await self._store.commit(upload, digest, size)
        else:
            await self._store.abandon(upload)
        return found

    async def link(self, key: str, file: FileLink) -> None:
        """Give the blob's file a second name here, durably. Raises FileNotFoundError, OSError."""
        await asyncio.to_thread(_link, file.path, self._path / key)

    def read(self, key: str, size: int) -> AsyncIterator[bytes]:
        """The bytes of a blob. Raises BlobMissing, OSError."""
        return self._store.read(key, 0, size)

    def publish(self) -> None:
        """Make the new database that of the backup. All its blobs are here. Raises OSError."""
        self.new_database.rename(self._folder.database)
        sync_folder(self._path)

    def objects(self) -> AsyncIterator[list[StoredObject]]:
        """All blobs in the folder, in batches."""
        return self._store.objects()

    async def remove(self, keys: list[str]) -> None:
        """Delete blobs, durably."""
        await self._store.delete(*keys)

    def add_secrets(self, key: bytes, tls: Path) -> None:
        """Store the master key and the folder of TLS keys, readable by the owner only. Raises OSError."""
        replace_file(self._path / "master.key", key)
        files = sorted(tls.iterdir()) if tls.is_dir() else []
        if files:
            make_folders([self._folder.tls])
        for file in files:
            replace_file(self._folder.tls / file.name, file.read_bytes())

    def has_secrets(self) -> bool:
        """Whether the folder has a master key, also from an earlier backup."""
        return (self._path / "master.key").exists()


def _has_size(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except FileNotFoundError:
        return False


def _link(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    os.link(source, target)
    sync_folder(target.parent)
