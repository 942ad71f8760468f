"""The storage of another registry as a folder."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path

from moorage.adapters.image_folders.reading import chunks_of, read_small
from moorage.domain.image_sources import SourceBroken


class StorageFolder:
    """See `StorageFiles`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def title(self) -> str:
        """See `StorageFiles.title`."""
        return str(self._root)

    async def folders(self, path: str) -> list[str]:
        """See `StorageFiles.folders`. Symbolic links are left out."""
        return await asyncio.to_thread(_folders, self._root / path)

    async def below(self, path: str) -> list[str]:
        """See `StorageFiles.below`."""
        return await asyncio.to_thread(_below, self._root / path)

    async def small(self, paths: Sequence[str], limit: int) -> list[bytes | SourceBroken]:
        """See `StorageFiles.small`."""
        return await asyncio.to_thread(lambda: [_content(self._root / path, limit) for path in paths])

    def chunks(self, path: str, _size: int) -> AsyncIterator[bytes]:
        """See `StorageFiles.chunks`."""
        return chunks_of(self._root / path)

    def place(self, path: str) -> Path:
        """See `StorageFiles.place`."""
        return self._root / path


def _folders(folder: Path) -> list[str]:
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    return []


def _below(folder: Path) -> list[str]:
    found = []
    for parent, _, names in os.walk(folder):
        inner = os.path.relpath(parent, folder)
        found += [name if inner == "." else f"{inner}/{name}" for name in names]
    return sorted(found)


def _content(path: Path, limit: int) -> bytes | SourceBroken:
    try:
        return read_small(path, limit)
    except SourceBroken as broken:
        return broken
