"""The audit log: a file of JSON lines that all worker processes append to.

Each record is one write at the end of the file, so lines of different processes do not mix. The record is written
before the response is sent. When the file is renamed or removed, the next record starts a new file of the same name;
this is how logs are rotated.
"""

from __future__ import annotations

import os
from pathlib import Path

from moorage.telemetry import Log


class AuditFile:
    """Appends records to the file; without a path it does nothing.

    When a write fails, for example because the disk is full, one event is logged; the next is logged only after a
    write has succeeded again.
    """

    def __init__(self, path: Path | None, log: Log) -> None:
        self._path = path
        self._log = log
        self._works = True
        self._descriptor: int | None = None
        self._opened: tuple[int, int] | None = None

    def write(self, record: bytes) -> None:
        """Append a record. Raises nothing: a failure is logged."""
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
        """A descriptor of the file that has the name now; reopens the file after a rotation."""
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
