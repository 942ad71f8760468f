"""Read and hash many small blobs in one call, for verification: a switch to a thread costs more than a small blob."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from moorage.domain.ports import CHUNK_BYTES, BlobMissing, SmallBlob

PathOf = Callable[[str], Path]
"""The path of a key. Raises BlobMissing."""


def digests(path_of: PathOf, blobs: Sequence[SmallBlob]) -> list[str | BlobMissing | OSError]:
    """See `SmallBlobs.digests`. Blocks."""
    return [_digest(path_of, blob) for blob in blobs]


def _digest(path_of: PathOf, blob: SmallBlob) -> str | BlobMissing | OSError:
    hasher = hashlib.new(blob.algorithm)
    try:
        descriptor = os.open(path_of(blob.key), os.O_RDONLY)
        try:
            read = 0
            while read < blob.size:
                chunk = os.pread(descriptor, min(CHUNK_BYTES, blob.size - read), read)
                if not chunk:
                    return OSError(errno.EIO, f"ends at byte {read}", blob.key)
                hasher.update(chunk)
                read += len(chunk)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        return BlobMissing(blob.key)
    except (BlobMissing, OSError) as error:
        return error
    return f"{blob.algorithm}:{hasher.hexdigest()}"
