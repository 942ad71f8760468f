"""Change counters in shared memory: numbers that change with commits, for all processes of a data folder.

There is one number for each `CachedUntil`. While a number stays the same, results read from the database stay true, so
a process may cache them: reading the number takes 0.1 µs, the lookups of a pull dozens of microseconds. Under the
writers' lock, the writer makes a number odd before its commit and even again after it. While it is odd, nothing is
cached. A writer that dies in between leaves it odd until the next commit.

The file's content means nothing after a restart, because no process has cached results then.
"""

from __future__ import annotations

import errno
import mmap
import os
from pathlib import Path
from typing import Final

from moorage.metadata.database import CachedUntil

_BYTES: Final = 8


class Generation:
    """One process's view of the numbers. `writable` is for writers: a reader also works on a read-only file system."""

    def __init__(self, path: Path, *, writable: bool) -> None:
        """Raises OSError."""
        descriptor = _opened(path, writable=writable)
        try:
            size = _BYTES * len(CachedUntil)
            if os.fstat(descriptor).st_size < size:
                os.ftruncate(descriptor, size)
            self._memory = mmap.mmap(descriptor, size, access=mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ)
        finally:
            os.close(descriptor)

    def read(self, until: CachedUntil) -> bytes:
        """The number, as bytes for comparison."""
        first = _BYTES * until
        return self._memory[first : first + _BYTES]

    @staticmethod
    def is_settled(number: bytes) -> bool:
        """Whether no commit was in progress when the number was read."""
        return not number[0] & 1

    def begin(self, *changing: CachedUntil) -> None:
        """Mark these numbers before a commit that changes them. The caller holds the writers' lock."""
        for until in changing:
            self._write(until, self._number(until) | 1)

    def end(self) -> None:
        """Complete the change after a commit or a rollback. The caller holds the writers' lock."""
        for until in CachedUntil:
            number = self._number(until)
            self._write(until, number + (number & 1))

    def close(self) -> None:
        self._memory.close()

    def _number(self, until: CachedUntil) -> int:
        return int.from_bytes(self.read(until), "little")

    def _write(self, until: CachedUntil, number: int) -> None:
        first = _BYTES * until
        self._memory[first : first + _BYTES] = (number % 2 ** (8 * _BYTES)).to_bytes(_BYTES, "little")


def _opened(path: Path, *, writable: bool) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if writable or error.errno != errno.EROFS:
            raise
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
