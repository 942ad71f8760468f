"""Take files of other programs over as blobs: a hard link each, so nothing is copied."""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from moorage.adapters.files import durable
from moorage.adapters.files.blob_store import key_of
from moorage.domain.image_sources import FileToLink, LinkResult
from moorage.domain.ports import CHUNK_BYTES

_THREADS: Final = 4


class FileLinks:
    """The folder of a `FileBlobStore`: see `BlobLinks`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def link_all(self, files: Sequence[FileToLink], *, verify: bool) -> list[LinkResult]:
        """See `BlobLinks.link_all`."""
        parts = [files[start::_THREADS] for start in range(_THREADS)]
        done = await asyncio.gather(*(asyncio.to_thread(self._link, part, verify) for part in parts if part))
        results = {file.upload: result for found in done for file, result in found}
        # Together and at the end: the first sync of a folder makes most file systems write the links of all of them.
        await asyncio.to_thread(self._sync, [result.key for result in results.values() if result.key])
        return [results[file.upload] for file in files]

    def _sync(self, keys: Sequence[str]) -> None:
        for folder in {(self._root / key).parent for key in keys}:
            durable.sync_folder(folder)

    def _link(self, files: Sequence[FileToLink], verify: bool) -> list[tuple[FileToLink, LinkResult]]:
        results = []
        for file in files:
            target = self._root / key_of(file.digest, file.upload)
            try:
                broken = _broken(file, verify)
                if not broken:
                    os.link(file.path, target, follow_symlinks=False)
            except FileNotFoundError:
                broken = "is missing"
            except OSError:  # Another disk, too many links, or one that the system does not allow: it is copied.
                results.append((file, LinkResult()))
                continue
            results.append((file, LinkResult(None if broken else str(target.relative_to(self._root)), broken)))
        return results


def _broken(file: FileToLink, verify: bool) -> str:
    """What is wrong with a file; empty for a good one. Its bytes are on the medium afterwards. Raises OSError."""
    descriptor = os.open(file.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return "is not a file"
        if status.st_size != file.size:
            return f"has {status.st_size} bytes instead of {file.size}"
        if verify and (found := _digest(descriptor, file.digest.partition(":")[0])) != file.digest:
            return f"has the digest {found}"
        durable.sync(descriptor)
    finally:
        os.close(descriptor)
    return ""


def _digest(descriptor: int, algorithm: str) -> str:
    hasher = hashlib.new(algorithm)
    while chunk := os.read(descriptor, CHUNK_BYTES):
        hasher.update(chunk)
    return f"{algorithm}:{hasher.hexdigest()}"
