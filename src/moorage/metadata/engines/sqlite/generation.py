"""Numbers that change with commits, in memory that all processes of a data folder share: with each, and with some.

What was read from the database stays true for as long as the number stays the same, so a process may remember it: a
look at the number costs a tenth of a microsecond, the look-ups of a pull several dozen. The writer makes the number odd
before its commit and even again after it, all under the writers' lock; while it is odd nothing is remembered. A writer
that dies in between leaves it odd, until the next one. There is one number for each `CachedUntil`.

The file's content means nothing after a restart, since no process remembers anything then.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import Final

from moorage.metadata.database import CachedUntil

_BYTES: Final = 8


class Generation:
    """One process's view of the numbers."""

    def __init__(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            size = _BYTES * len(CachedUntil)
            if os.fstat(descriptor).st_size < size:
                os.ftruncate(descriptor, size)
            self._memory = mmap.mmap(descriptor, size)
        finally:
            os.close(descriptor)

    def read(self, until: CachedUntil) -> bytes:
        """The number, as bytes to compare."""
        first = _BYTES * until.value
        return self._memory[first : first + _BYTES]

    @staticmethod
    def is_settled(number: bytes) -> bool:
        """Whether no commit was under way."""
        return not number[0] & 1

    def begin(self, *ending: CachedUntil) -> None:
        """Before a commit after which these numbers are others, under the writers' lock."""
        for until in ending:
            self._write(until, self._number(until) | 1)

    def end(self) -> None:
        """After a commit or a rollback, under the writers' lock."""
        for until in CachedUntil:
            number = self._number(until)
            self._write(until, number + (number & 1))

    def close(self) -> None:
        self._memory.close()

    def _number(self, until: CachedUntil) -> int:
        return int.from_bytes(self.read(until), "little")

    def _write(self, until: CachedUntil, number: int) -> None:
        first = _BYTES * until.value
        self._memory[first : first + _BYTES] = (number % 2 ** (8 * _BYTES)).to_bytes(_BYTES, "little")
