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
from moorage.domain.image_sources import BlobToLink, LinkResult
from moorage.domain.ports import CHUNK_BYTES

_THREADS: Final = 4


class FileLinks:
    """The folder of a `FileBlobStore`: see `BlobLinks`."""

    done = "linked"

    def __init__(self, root: Path) -> None:
        self._root = root

    async def link_all(self, blobs: Sequence[BlobToLink], *, verify: bool) -> list[LinkResult]:
        """See `BlobLinks.link_all`."""
        parts = [blobs[start::_THREADS] for start in range(_THREADS)]
        done = await asyncio.gather(*(asyncio.to_thread(self._link, part, verify) for part in parts if part))
        results = {blob.upload: result for found in done for blob, result in found}
        # Together and at the end: the first sync of a folder makes most file systems write the links of all of them.
        await asyncio.to_thread(self._sync, [result.key for result in results.values() if result.key])
        return [results[blob.upload] for blob in blobs]

    def _sync(self, keys: Sequence[str]) -> None:
        for folder in {(self._root / key).parent for key in keys}:
            durable.sync_folder(folder)

    def _link(self, blobs: Sequence[BlobToLink], verify: bool) -> list[tuple[BlobToLink, LinkResult]]:
        results = []
        for blob in blobs:
            if not isinstance(blob.place, Path):
                results.append((blob, LinkResult()))
                continue
            target = self._root / key_of(blob.digest, blob.upload)
            try:
                broken = _broken(blob.place, blob, verify)
                if not broken:
                    os.link(blob.place, target, follow_symlinks=False)
            except FileNotFoundError:
                broken = "is missing"
            except OSError:  # Another disk, too many links, or one that the system does not allow: it is copied.
                results.append((blob, LinkResult()))
                continue
            results.append((blob, LinkResult(None if broken else str(target.relative_to(self._root)), broken)))
        return results


def _broken(path: Path, blob: BlobToLink, verify: bool) -> str:
    """What is wrong with a file; empty for a good one. Its bytes are on the medium afterwards. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return "is not a file"
        if status.st_size != blob.size:
            return f"has {status.st_size} bytes instead of {blob.size}"
        if verify and (found := _digest(descriptor, blob.digest.partition(":")[0])) != blob.digest:
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
