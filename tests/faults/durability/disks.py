"""File systems of a test's own: a small one that can be filled, and one whose power can be cut."""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_FS_IOC_SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32) of <linux/fs.h>; what `godown` of xfstests calls
_NO_LOG_FLUSH = 2  # FS_SHUTDOWN_FLAGS_NOLOGFLUSH: nothing that is still in memory reaches the disk
_MAKE = {"ext4": ["mkfs.ext4", "-q", "-F"], "xfs": ["mkfs.xfs", "-q", "-f"]}


@contextmanager
def small_disk(place: Path, megabytes: int) -> Iterator[Path]:
    """A file system in memory with so much room. Skips the test without the right to mount."""
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(place)]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small tmpfs needs Linux and the right to mount")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


class LoopDisk:
    """A file system in a file. `cut` takes its power away; `revive` is what the next boot does: replay the journal."""

    def __init__(self, image: Path, place: Path) -> None:
        self._image = image
        self.place = place

    def cut(self) -> None:
        """From now on nothing reaches the disk, and every call fails."""
        descriptor = os.open(self.place, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, _FS_IOC_SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
        finally:
            os.close(descriptor)

    def revive(self) -> None:
        """Mount again; no process may have a file open there, which the kernel may see a little later."""
        end = time.monotonic() + 10
        while subprocess.run(["umount", self.place], capture_output=True, check=False).returncode:
            assert time.monotonic() < end, f"{self.place} is still in use"
            time.sleep(0.05)
        _run("mount", "-o", "loop", self._image, self.place)


@contextmanager
def loop_disk(folder: Path, kind: str, megabytes: int) -> Iterator[LoopDisk]:
    """Skips the test without the right to mount loop devices, or without the program that makes the file system."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("cutting the power of a loop-mounted file system needs Linux and root")
    if shutil.which(_MAKE[kind][0], path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin") is None:
        pytest.skip(f"{_MAKE[kind][0]} is not installed")
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


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, capture_output=True)
