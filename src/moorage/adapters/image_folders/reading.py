"""Read the files of other programs: only regular files, never through symbolic links, and never more than expected."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from moorage.domain.errors import DigestInvalid
from moorage.domain.image_sources import SourceBroken
from moorage.domain.names import Digest
from moorage.domain.ports import CHUNK_BYTES
from moorage.domain.registry.manifests import MANIFEST_LIMIT

NAME_DEPTH: Final = 64
"""Components of a repository's name that are followed in the folders of other registries."""


def open_file(path: Path) -> int:
    """Open a regular file. Raises SourceBroken."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise SourceBroken(f"{path.name} is missing") from None
    except OSError as error:
        raise SourceBroken(f"{path} cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise SourceBroken(f"{path} is not a file")
    return descriptor


def read_small(path: Path, limit: int = MANIFEST_LIMIT) -> bytes:
    """The content of a file. Raises SourceBroken, also for a file that is longer than the limit."""
    with os.fdopen(open_file(path), "rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise SourceBroken(f"{path} has more than {limit} bytes")
    return content


async def chunks_of(path: Path, start: int = 0, size: int | None = None) -> AsyncIterator[bytes]:
    """The bytes of a file, or of a part of it. Raises SourceBroken."""
    descriptor = await asyncio.to_thread(open_file, path)
    left = size
    try:
        while left is None or left > 0:
            length = CHUNK_BYTES if left is None else min(CHUNK_BYTES, left)
            chunk = await asyncio.to_thread(os.pread, descriptor, length, start)
            if not chunk:
                return
            start += len(chunk)
            left = None if left is None else left - len(chunk)
            yield chunk
    finally:
        os.close(descriptor)


def parts_of(digest: str) -> tuple[str, str]:
    """The algorithm of a digest and its hexadecimal digits, which are safe in paths. Raises SourceBroken."""
    try:
        parsed = Digest.parse(digest)
    except DigestInvalid:
        raise SourceBroken(f"{digest[:200]!r} is not a digest") from None
    return parsed.algorithm, parsed.partition(":")[2]
