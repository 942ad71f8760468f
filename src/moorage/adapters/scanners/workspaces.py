"""Folders for single runs of a scanner, which nothing outlives: not a killed server, either."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import shutil
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from moorage.adapters.disk_space import DiskSpace

PRINTED: Final = "printed"
"""The file of a workspace's output with what the program printed."""

_LOCK: Final = ".lock"


class ResultTooLarge(Exception):
    """A program wrote more than can be read. The text says how much that is."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """`input` is what the program reads, `output` the only folder that it can write to.

    They are separate, because `input` has links to the blobs of the registry.
    """

    folder: Path
    space: DiskSpace

    @property
    def input(self) -> Path:
        return self.folder / "input"

    @property
    def output(self) -> Path:
        return self.folder / "output"

    @property
    def note(self) -> Path:
        """The file in which the launcher notes how the program is confined."""
        return self.folder / "confinement.json"

    def bytes_written(self) -> int:
        """The bytes on the disk that the program takes. It walks through its folder, so call it in a thread."""
        total = 0
        for folder, _, files in os.walk(self.output):
            for name in files:
                with suppress(OSError):  # The program removes files meanwhile.
                    total += os.lstat(os.path.join(folder, name)).st_blocks * 512  # noqa: PTH118 - fast, for many files
        return total

    def require_space(self) -> None:
        """Raise OSError when only the reserve of the disk is left: it is for pushes and deletions."""
        reason = self.space.obstacle()
        if reason:
            raise OSError(errno.ENOSPC, reason)

    def result(self, name: str, limit: int) -> bytes:
        """The bytes of a file that the program wrote. Raises OSError, and ResultTooLarge above `limit`."""
        descriptor = os.open(self.output / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            content = file.read(limit + 1)
        if len(content) > limit:
            raise ResultTooLarge(f"{name} has more than {limit >> 20} MiB")
        return content


class Workspaces:
    """The workspaces in one folder. Those of processes that ended are removed when the next one is made.

    `reserve` is what is left free on the disk, as in `DiskSpace`.
    """

    def __init__(self, root: Path, reserve: int | None = None) -> None:
        self._root = root
        self._space = DiskSpace(root, reserve)

    @asynccontextmanager
    async def new(self) -> AsyncIterator[Workspace]:
        """A workspace that is removed afterwards. Raises OSError."""
        lock, folder = await asyncio.to_thread(self._make)
        workspace = Workspace(folder, self._space)
        try:
            workspace.require_space()
            yield workspace
        finally:
            await asyncio.shield(asyncio.to_thread(_remove, lock, folder))

    def _make(self) -> tuple[int, Path]:
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._remove_abandoned()
        folder = self._root / uuid.uuid4().hex
        lock = _locked(folder.with_suffix(_LOCK))
        for path in (folder, folder / "input", folder / "output"):
            path.mkdir(mode=0o700)
        return lock, folder

    def _remove_abandoned(self) -> None:
        for path in self._root.glob(f"*{_LOCK}"):
            with suppress(OSError):
                lock = os.open(path, os.O_RDWR | os.O_CLOEXEC)
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    os.close(lock)
                else:
                    _remove(lock, path.with_suffix(""))


def _locked(path: Path) -> int:
    """A new file, locked until it is closed. Another process may remove it before it is locked."""
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.fstat(lock).st_nlink:
            return lock
        os.close(lock)


def _remove(lock: int, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.with_suffix(_LOCK).unlink(missing_ok=True)
    os.close(lock)
