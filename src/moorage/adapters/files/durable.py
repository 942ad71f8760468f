"""Durable writes to local files, and a hint that makes the final sync short.

The order that is safe on every file system: write, sync the file, rename, sync the folder. Without the sync of the
file, a power cut can leave an empty file under the final name. Without the sync of the folder, it can undo the rename
(both seen on ext4 and XFS).
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from moorage.domain.ports import StoreFull

MAX_BUFFERS = 1024
"""IOV_MAX of Linux and macOS: the maximum number of buffers for one `pwritev`."""

_WRITE = 2  # SYNC_FILE_RANGE_WRITE of <linux/fs.h>: start writing dirty pages, do not wait


@contextmanager
def unwritable_as_store_full() -> Iterator[None]:
    """Turn "no space left", "quota exceeded" and "read-only file system" into StoreFull; other errors pass."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EROFS}:
            raise StoreFull(os.strerror(error.errno)) from error
        raise


def sync(descriptor: int) -> None:
    """Wait until an open file is on the medium.

    Raises OSError. The file must then be discarded: the kernel reports a lost page only once, and a second call would
    succeed without the page (https://wiki.postgresql.org/wiki/Fsync_Errors).
    """
    if sys.platform == "darwin":  # there, fsync(2) leaves the bytes in the drive's cache
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    else:
        os.fsync(descriptor)


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the medium."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(path: Path, content: bytes) -> None:
    """Write a small file that only its owner can read, atomically and durably."""
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        sync(file.fileno())
    temporary.rename(path)
    sync_folder(path.parent)


def make_folders(folders: Iterable[Path]) -> None:
    """Create missing folders and their parents, and sync every folder that lists one of them."""
    parents: set[Path] = set()
    for folder in folders:
        parents.add(folder.parent)
        _make_folder(folder, parents)
    for folder in parents:
        sync_folder(folder)


def _make_folder(folder: Path, parents: set[Path]) -> None:
    if folder.is_dir():
        return
    _make_folder(folder.parent, parents)
    folder.mkdir(mode=0o700, exist_ok=True)
    parents.add(folder.parent)


def write_all(descriptor: int, chunks: Sequence[bytes], position: int) -> None:
    """Write `chunks` one after the other, starting at byte `position`, without joining them.

    The kernel may accept fewer bytes than it is given, mostly when the disk is nearly full.
    """
    pending: Sequence[bytes | memoryview] = chunks
    while pending:
        written = os.pwritev(descriptor, pending[:MAX_BUFFERS], position)
        position += written
        pending = _after(pending, written)


def _after(chunks: Sequence[bytes | memoryview], written: int) -> Sequence[bytes | memoryview]:
    for index, chunk in enumerate(chunks):
        if written < len(chunk):
            return [memoryview(chunk)[written:], *chunks[index + 1 :]]
        written -= len(chunk)
    return ()


if sys.platform == "linux":
    _sync_file_range = ctypes.CDLL(None).sync_file_range
    _sync_file_range.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)

    def start_write_back(descriptor: int, start: int, length: int) -> None:
        """AppendStart writing these bytes to disk while more arrive, so that the final `sync` is short.

        This is a hint: file systems that do not support it cause no error, and it guarantees nothing.
        """
        _sync_file_range(descriptor, start, length, _WRITE)

else:

    def start_write_back(_descriptor: int, _start: int, _length: int) -> None:
        """Do nothing: only Linux has the hint."""
