"""Rotation of the audit log: a file that has become large gets another name.

    audit.jsonl                                the current file
    audit-20261129T101500.123456Z.jsonl        a rotated file, with the time of its rotation

No record is lost, because a process that still has the file open appends to it under its new name. Rotated files are
removed only above a limit, which is not set by default (docs/decisions/0043-audit-file-size.md).
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
from datetime import UTC, datetime
from pathlib import Path


def is_stream(path: Path) -> bool:
    """Whether the audit log is a stream, such as a pipe, instead of a file. Raises nothing.

    A log that is missing or unreadable counts as a file: writing it reports the reason.
    """
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


class Rotation:
    """The rotation of one file. Sizes are in bytes, and 0 means any.

    The file is rotated when it has `file_size` bytes. `total` bounds all files together: before they exceed it, the
    oldest rotated ones are removed.
    """

    def __init__(self, path: Path, file_size: int = 0, total: int = 0) -> None:
        self.path = path
        self._file_size = file_size
        self._total = total
        self._rotated_name = re.compile(rf"{re.escape(path.stem)}-\d{{8}}T\d{{6}}\.\d{{6}}Z{re.escape(path.suffix)}")

    def is_due(self, size: int) -> bool:
        """Whether a file of this size is to be rotated."""
        return 0 < self._file_size <= size

    def rotate(self, descriptor: int) -> bool:
        """Rename the file, which is open as `descriptor`; False if it is not a plain file. Raises OSError.

        One process does it; those that waited for the lock find that the name belongs to another file.
        """
        try:
            if not stat.S_ISREG(os.lstat(self.path).st_mode):
                return False  # A pipe, or a link such as /dev/stdout.
        except FileNotFoundError:
            return True  # Another process has just renamed it.
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            if self._is_current(descriptor):
                self.path.rename(self._free_name())
                self._remove_oldest()
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        return True

    def sizes(self) -> tuple[int, int]:
        """The bytes of the current file and of all rotated ones. Raises OSError."""
        current = self.path.stat().st_size if self.path.is_file() else 0
        return current, sum(size for _, size in self._rotated())

    def rotated_files(self) -> list[Path]:
        """The rotated files, the newest first. Raises OSError."""
        return [path for path, _ in reversed(self._rotated())]

    def _is_current(self, descriptor: int) -> bool:
        opened = os.fstat(descriptor)
        try:
            named = os.stat(self.path)  # noqa: PTH116 - compared with fstat
        except FileNotFoundError:
            return False
        return (opened.st_dev, opened.st_ino) == (named.st_dev, named.st_ino)

    def _free_name(self) -> Path:
        """A name with the current time that no file has."""
        while True:
            time = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
            name = self.path.with_name(f"{self.path.stem}-{time}{self.path.suffix}")
            if not name.exists():
                return name

    def _rotated(self) -> list[tuple[Path, int]]:
        """The rotated files with their sizes, the oldest first."""
        with os.scandir(self.path.parent) as entries:
            found = [entry for entry in entries if self._rotated_name.fullmatch(entry.name)]
            return sorted((Path(entry.path), entry.stat().st_size) for entry in found)

    def _remove_oldest(self) -> None:
        """Remove rotated files until there is room for a next file below the limit."""
        if not self._total:
            return
        rotated = self._rotated()
        size = sum(one for _, one in rotated) + self._file_size
        for path, one in rotated:
            if size <= self._total:
                return
            path.unlink(missing_ok=True)
            size -= one
