"""The free space of a file system, of which a reserve is kept: without space, no deletion can be recorded either."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from moorage.domain.ports import StoreFull

_LARGEST_RESERVE: Final = 256 << 20
_SMALLEST_RESERVE: Final = 16 << 20
"""Bounds of the default reserve, which is a twentieth of the file system. SQLite's log alone can take 4 MiB."""


_TEST_FILE: Final = "write-test"


def _ignore(_: str) -> None: ...


class _Status(NamedTuple):
    """Of a file system: the free bytes, those of them that are kept free, and whether it accepts no writes."""

    free: int
    reserve: int
    is_read_only: bool


class DiskSpace:
    """The file system of a folder. `reserve` is in bytes; None chooses it by the size of the file system.

    `report` is called with each new reason against writing, and with an empty text when there is none any more.
    """

    def __init__(self, folder: Path, reserve: int | None = None, report: Callable[[str], None] = _ignore) -> None:
        self._folder = folder
        self._given = reserve
        self._report = report
        self._reason = ""

    @property
    def reserve(self) -> int:
        """The bytes that are kept free. Raises OSError."""
        return self._status().reserve

    @property
    def free(self) -> int:
        """The free bytes, including the reserve. Raises OSError."""
        return self._status().free

    def _status(self) -> _Status:
        """Raises OSError. One call of the system answers all: each request that takes space asks several times."""
        status = os.statvfs(self._folder)
        reserve = self._given
        if reserve is None:
            reserve = max(_SMALLEST_RESERVE, min(status.f_blocks * status.f_frsize // 20, _LARGEST_RESERVE))
        return _Status(status.f_bavail * status.f_frsize, reserve, bool(status.f_flag & os.ST_RDONLY))

    def is_same_as(self, other: DiskSpace) -> bool:
        """Whether both folders are on one file system now, so that one of the two need not be asked."""
        try:
            return self._folder.stat().st_dev == other._folder.stat().st_dev
        except OSError:
            return False

    def obstacle(self, size: int = 0) -> str:
        """The reason why `size` bytes cannot be written here now; empty if they can.

        It takes two microseconds, and other processes may write at the same time: the reserve can shrink by what the
        threads of all of them have in progress.
        """
        reason = self._reason_against(size)
        if size == 0:  # Otherwise large and small chunks in turn would report a change each.
            if bool(reason) != bool(self._reason):
                self._report(reason)
            self._reason = reason
        return reason

    def obstacle_to_changes(self) -> str:
        """The reason why only what frees space is accepted: half of the reserve is used. Empty if it is not.

        Failures of the file system are not among the reasons: writing reports them.
        """
        try:
            status = self._status()
        except OSError:
            return ""
        if status.free > status.reserve // 2:
            return ""
        return f"The file system has less free space than half of its reserve of {status.reserve >> 20} MiB"

    def require(self, size: int = 0) -> None:
        """Raises StoreFull if `size` bytes cannot be written here now."""
        reason = self.obstacle(size)
        if reason:
            raise StoreFull(reason)

    def check_writing(self) -> str:
        """`obstacle`, and a byte is written: a file system that failed may accept nothing, and report nothing.

        It waits for the disk, so call it in a thread.
        """
        reason = self.obstacle()
        if reason:
            return reason
        try:
            descriptor = os.open(self._folder / _TEST_FILE, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.pwrite(descriptor, b"1", 0)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            return f"The file system cannot be written: {error.strerror}"
        return ""

    def _reason_against(self, size: int) -> str:
        try:
            status = self._status()
        except OSError as error:
            return f"The file system does not respond: {error.strerror}"
        if status.is_read_only:
            return "The file system is read-only"
        if status.free - size <= status.reserve:
            return f"The file system has no more free space than its reserve of {status.reserve >> 20} MiB"
        return ""
