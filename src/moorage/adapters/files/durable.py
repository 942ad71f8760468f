"""What makes bytes in local files survive a power cut, and the hint that makes waiting for it short.

The order that holds on every file system is: write, sync the file, rename, sync the folder. A rename whose file was not
synced leaves an empty file under the final name; one whose folder was not synced is undone (both seen on ext4 and XFS).
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

MOST_BUFFERS = 1024
"""IOV_MAX of Linux and macOS: how many buffers one `pwritev` takes."""

_WRITE = 2  # SYNC_FILE_RANGE_WRITE of <linux/fs.h>: start writing what is dirty, wait for nothing


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

    Raises OSError; the file must then be discarded, because the kernel reports a lost page once only and a second call
    would succeed without it (https://wiki.postgresql.org/wiki/Fsync_Errors).
    """
    if sys.platform == "darwin":  # fsync(2) there leaves the bytes in the drive's cache
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


def make_folders(folders: Iterable[Path]) -> None:
    """Make the folders that are missing, with their parents, and sync every folder that names one of them."""
    naming: set[Path] = set()
    for folder in folders:
        naming.add(folder.parent)
        _make_folder(folder, naming)
    for folder in naming:
        sync_folder(folder)


def _make_folder(folder: Path, naming: set[Path]) -> None:
    if folder.is_dir():
        return
    _make_folder(folder.parent, naming)
    folder.mkdir(mode=0o700, exist_ok=True)
    naming.add(folder.parent)


def write_all(descriptor: int, chunks: Sequence[bytes], position: int) -> None:
    """Write `chunks` one after the other from byte `position` on, without joining them.

    The kernel may take fewer bytes than it is given, above all when the disk is nearly full.
    """
    pending: Sequence[bytes | memoryview] = chunks
    while pending:
        written = os.pwritev(descriptor, pending[:MOST_BUFFERS], position)
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
        """Let the disk begin with these bytes while more are received: the last `sync` is then short.

        A hint: file systems that cannot do it are not an error, and it promises nothing.
        """
        _sync_file_range(descriptor, start, length, _WRITE)

else:

    def start_write_back(_descriptor: int, _start: int, _length: int) -> None:
        """Only Linux has the hint."""
