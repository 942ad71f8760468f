"""File systems for one test: a small one that a test can fill, and one whose power a test can cut.

They are mounted in the folder of the test run, where the run's guard unmounts what an interrupted test leaves.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.waiting import PATIENCE_SECONDS

_FS_IOC_SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32) of <linux/fs.h>; what `godown` of xfstests calls
_NO_LOG_FLUSH = 2  # FS_SHUTDOWN_FLAGS_NOLOGFLUSH: nothing that is still in memory reaches the disk
_MAKE = {"ext4": ["mkfs.ext4", "-q", "-F"], "xfs": ["mkfs.xfs", "-q", "-f"]}


@contextmanager
def small_disk(megabytes: int) -> Iterator[Path]:
    """A file system in memory of this size. Skips the test without the right to mount."""
    place = Path(tempfile.mkdtemp(prefix="disk-"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(place)]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small tmpfs needs Linux and the right to mount")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


class LoopDisk:
    """A file system in a file. `cut` takes its power away. `revive` replays the journal, as the next boot does."""

    def __init__(self, image: Path, place: Path) -> None:
        self._image = image
        self.place = place

    def cut(self) -> None:
        """After this, nothing reaches the disk, and every call fails."""
        descriptor = os.open(self.place, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, _FS_IOC_SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
        finally:
            os.close(descriptor)

    def fail(self) -> None:
        """Make an ext4 file system read-only, as it makes itself after an error that it finds (errors=remount-ro)."""
        source = _run("findmnt", "--noheadings", "--output", "SOURCE", self.place).decode().strip()
        _run("mount", "-o", "remount,errors=remount-ro", self.place)
        Path(f"/sys/fs/ext4/{Path(source).name}/trigger_fs_error").write_text("1")

    def revive(self) -> None:
        """Mount again. No process may have a file open there; the kernel may need a moment to notice that."""
        end = time.monotonic() + PATIENCE_SECONDS
        while subprocess.run(["umount", self.place], capture_output=True, check=False).returncode:
            assert time.monotonic() < end, f"{self.place} is still in use"
            time.sleep(0.05)
        _run("mount", "-o", "loop", self._image, self.place)


@contextmanager
def loop_disk(kind: str, megabytes: int) -> Iterator[LoopDisk]:
    """A disk of this kind (`ext4` or `xfs`). Skips the test without the right to mount it or the program to make it."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("cutting the power of a loop-mounted file system needs Linux and root")
    if shutil.which(_MAKE[kind][0], path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin") is None:
        pytest.skip(f"{_MAKE[kind][0]} is not installed")
    folder = Path(tempfile.mkdtemp(prefix="disk-"))
    image, place = folder / f"{kind}.img", folder / kind
    with image.open("wb") as file:
        file.truncate(megabytes << 20)
    place.mkdir()
    _run(*_MAKE[kind], image)
    if subprocess.run(["mount", "-o", "loop", image, place], capture_output=True, check=False).returncode:
        pytest.skip("no loop device can be mounted here")
    try:
        yield LoopDisk(image, place)
    finally:
        _run("umount", "--lazy", place)


def _run(*command: str | Path) -> bytes:
    return subprocess.run(command, check=True, capture_output=True).stdout
