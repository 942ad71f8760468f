"""Write an OCI layout to a folder."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

from moorage.adapters.files import durable
from moorage.adapters.image_folders.layouts import blob_name


class LayoutWriter:
    """A folder with one layout: see `ImageTarget`. What an earlier export wrote stays, and is not written again."""

    def __init__(self, root: Path) -> None:
        self._root = root
        durable.make_folders([root / "blobs" / "sha256", root / "blobs" / "sha512"])

    def close(self) -> None:
        """See `ImageTarget.close`."""

    def has(self, digest: str, size: int, *, inherits: bool) -> bool:  # noqa: ARG002 - a folder inherits nothing
        """See `ImageTarget.has`."""
        path = self._root / blob_name(digest)
        return path.is_file() and path.stat().st_size == size

    async def add(self, digest: str, size: int, chunks: AsyncIterator[bytes]) -> str:
        """See `ImageTarget.add`."""
        path = self._root / blob_name(digest)
        temporary = path.with_name(f"{path.name}.part")
        hasher, position = hashlib.new(digest.partition(":")[0]), 0
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        try:
            async for chunk in chunks:
                hasher.update(chunk)
                await asyncio.to_thread(durable.write_all, descriptor, [chunk], position)
                position += len(chunk)
            await asyncio.to_thread(durable.sync, descriptor)
        except BaseException:
            temporary.unlink()
            raise
        finally:
            os.close(descriptor)
        found = f"{hasher.name}:{hasher.hexdigest()}"
        if (found, position) == (digest, size):
            temporary.rename(path)
        else:
            temporary.unlink()
        return found

    async def finish(self, files: dict[str, bytes]) -> None:
        """See `ImageTarget.finish`."""
        await asyncio.to_thread(self._finish, files)

    def _finish(self, files: dict[str, bytes]) -> None:
        for algorithm in ("sha256", "sha512"):
            durable.sync_folder(self._root / "blobs" / algorithm)
        for name, content in files.items():
            durable.replace_file(self._root / name, content)
            (self._root / name).chmod(0o644)
