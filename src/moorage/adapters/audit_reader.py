"""The audit log read backwards, the newest records first: the current file, and then the rotated ones."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from moorage.adapters.audit_rotation import Rotation, is_stream

_CHUNK: Final = 1 << 16


class AuditReader:
    """Reads the files of `rotation`; without one, or if the log is a stream, there is nothing to read.

    A position is the number of a file, because it can be renamed meanwhile, and an offset in it.
    """

    def __init__(self, rotation: Rotation | None) -> None:
        self._rotation = rotation

    def lines(self, after: tuple[int, int] | None) -> Iterator[tuple[bytes, tuple[int, int]]]:
        """Lines before a position, the last first, each with the position of its beginning. Raises OSError.

        A position in a file that was removed has no lines before it.
        """
        for path in self._files(after):
            with path.open("rb") as file:
                status = os.fstat(file.fileno())
                is_begun = after is not None and status.st_ino == after[0]
                end = after[1] if is_begun and after is not None else status.st_size
                for line, offset in _backwards(file.fileno(), end):
                    yield line, (status.st_ino, offset)

    def _files(self, after: tuple[int, int] | None) -> list[Path]:
        """The files from the one of a position on, the newest first."""
        if self._rotation is None or is_stream(self._rotation.path):
            return []
        found = [path for path in (self._rotation.path, *self._rotation.rotated_files()) if path.is_file()]
        if after is None:
            return found
        numbers = [path.stat().st_ino for path in found]
        return found[numbers.index(after[0]) :] if after[0] in numbers else []


def _backwards(descriptor: int, end: int) -> Iterator[tuple[bytes, int]]:
    """The lines before `end`, the last first, each with the offset of its beginning."""
    rest = b""
    while end > 0:
        begin = max(0, end - _CHUNK)
        text = os.pread(descriptor, end - begin, begin) + rest
        rest, *lines = text.split(b"\n")
        offset = begin + len(text)
        for line in reversed(lines):
            offset -= len(line)
            if line:
                yield line, offset
            offset -= 1
        end = begin
    if rest:
        yield rest, 0
