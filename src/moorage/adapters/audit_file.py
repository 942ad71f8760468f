"""The audit log as a file of JSON lines, to which all worker processes append.

Each record is one write at the end of the file, so that lines of several processes do not mix, and it is there before
the answer to the request goes out. A file that was renamed or removed is left, and one with the old name begun: that is
how it is rotated.
"""

from __future__ import annotations

import os
from pathlib import Path

from moorage.telemetry import Log


class AuditFile:
    """Appends records. Without a path there is nothing to append to.

    When records are lost, because the disk is full perhaps, the operator is told once until it works again.
    """

    def __init__(self, path: Path | None, log: Log) -> None:
        self._path = path
        self._log = log
        self._works = True
        self._descriptor: int | None = None
        self._opened: tuple[int, int] | None = None

    def write(self, record: bytes) -> None:
        """Append a record; raises nothing."""
        if self._path is None:
            return
        try:
            _write_all(self._current(self._path), record + b"\n")
        except OSError as error:
            if self._works:
                self._log.event("audit-unwritable", file=str(self._path), reason=error.strerror or str(error))
            self._works = False
        else:
            self._works = True

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _current(self, path: Path) -> int:
        """The file that has the name now."""
        try:
            status = os.stat(path)  # noqa: PTH116 - a third of the time of Path.stat
        except FileNotFoundError:
            status = None
        if self._descriptor is not None and status is not None and self._opened == (status.st_dev, status.st_ino):
            return self._descriptor
        self.close()
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        opened = os.fstat(self._descriptor)
        self._opened = (opened.st_dev, opened.st_ino)
        return self._descriptor


def _write_all(descriptor: int, text: bytes) -> None:
    while text:
        text = text[os.write(descriptor, text) :]
