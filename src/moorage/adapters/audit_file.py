"""The audit log: a file of JSON lines that all worker processes append to.

Each record is one write at the end of the file, so lines of different processes do not mix. The record is written
before the response is sent. When the file is renamed or removed, the next record starts a new file of the same name;
this is how logs are rotated, by `audit_rotation.py` or by another program.
"""

from __future__ import annotations

import os

from moorage.adapters.audit_rotation import Rotation
from moorage.adapters.disk_space import DiskSpace
from moorage.telemetry import Log


class AuditFile:
    """Appends records to the file of `rotation`; without one it does nothing.

    When a write fails, for example because the disk is full, one event is logged; the next is logged only after a
    write has succeeded again.

    While the reserve of the disk (`space`) is being used up, records of reads and of refused requests are dropped; the
    log reports the first, and later how many there were.
    """

    def __init__(self, rotation: Rotation | None, space: DiskSpace | None, log: Log) -> None:
        self._rotation = rotation
        self._space = space
        self._dropped = 0
        self._log = log
        self._works = self._rotates = True
        self._descriptor: int | None = None
        self._opened: tuple[int, int] | None = None

    def write(self, record: bytes, *, dispensable: bool) -> None:
        """Append a record. Raises nothing: a failure is logged."""
        if self._rotation is None or (dispensable and self._must_drop(self._rotation)):
            return
        try:
            _write_all(self._current(self._rotation), record + b"\n")
        except OSError as error:
            if self._works:
                reason = error.strerror or str(error)
                self._log.event("audit-unwritable", file=str(self._rotation.path), reason=reason)
            self._works = False
        else:
            self._works = True

    def _must_drop(self, rotation: Rotation) -> bool:
        """Whether an optional record must be dropped for lack of space; counts dropped records."""
        reason = "" if self._space is None else self._space.obstacle_to_changes()
        if reason:
            if not self._dropped:
                self._log.event("audit-drops", file=str(rotation.path), reason=reason)
            self._dropped += 1
        elif self._dropped:
            self._log.event("audit-dropped", file=str(rotation.path), records=self._dropped)
            self._dropped = 0
        return bool(reason)

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _current(self, rotation: Rotation) -> int:
        """A descriptor of the file that has the name now; reopens the file after a rotation."""
        descriptor, size = self._open(rotation)
        if rotation.is_due(size) and self._rotate(rotation, descriptor):
            descriptor, _ = self._open(rotation)
        return descriptor

    def _rotate(self, rotation: Rotation, descriptor: int) -> bool:
        """Rotate the file; if that is not possible, log it once and go on with the same file."""
        try:
            is_rotated = rotation.rotate(descriptor)
        except OSError as error:
            if self._rotates:
                reason = error.strerror or str(error)
                self._log.event("audit-not-rotated", file=str(rotation.path), reason=reason)
            self._rotates = False
            return False
        self._rotates = True
        return is_rotated

    def _open(self, rotation: Rotation) -> tuple[int, int]:
        """A descriptor of the file that has the name now, and its size."""
        try:
            status = os.stat(rotation.path)  # noqa: PTH116 - a third of the time of Path.stat
        except FileNotFoundError:
            status = None
        if self._descriptor is not None and status is not None and self._opened == (status.st_dev, status.st_ino):
            return self._descriptor, status.st_size
        self.close()
        self._descriptor = os.open(rotation.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        opened = os.fstat(self._descriptor)
        self._opened = (opened.st_dev, opened.st_ino)
        return self._descriptor, opened.st_size


def _write_all(descriptor: int, text: bytes) -> None:
    while text:
        text = text[os.write(descriptor, text) :]
