"""The file of one upload, locked for an append or for the commit. Everything here blocks and runs in pool threads.

The lock is `flock`: it excludes other processes and other requests of the same process, and the kernel releases it when
a process is killed.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from moorage import failpoints
from moorage.adapters.disk_space import DiskSpace
from moorage.adapters.files import durable
from moorage.adapters.files.running_digests import RunningDigest, drop_record_beyond, write_record
from moorage.domain.ports import UploadBusy, UploadMissing

WRITE_BACK_BYTES = 8 << 20


class FileState(NamedTuple):
    """A file's inode, size and time of change. If two states of a file differ, it was written in between."""

    inode: int
    size: int
    modified: int

    @classmethod
    def of(cls, path: Path | str) -> FileState | None:
        """The state of the file at `path`; None if the file does not exist."""
        try:
            status = os.stat(path)  # noqa: PTH116 - a third of the time of Path.stat
        except FileNotFoundError:
            return None
        return cls(status.st_ino, status.st_size, status.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class AppendStart:
    """What an append starts from: the state of the upload when the request arrived."""

    path: Path
    offset: int
    state: FileState | None
    running: RunningDigest | None
    space: DiskSpace
    algorithm: str


def open_locked(path: Path, flags: int = 0) -> tuple[int, FileState]:
    """Open an upload's file, lock it and return its descriptor and state.

    Raises UploadBusy, and UploadMissing when the file does not exist or became a blob before the lock was acquired.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | flags, 0o600)
    except FileNotFoundError:
        raise UploadMissing(path.name) from None
    try:
        return descriptor, _lock(descriptor, path)
    except BaseException:
        os.close(descriptor)
        raise


def _lock(descriptor: int, path: Path) -> FileState:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UploadBusy(path.name) from None
    # Between open and lock the file may have become a blob, which must not change any more.
    state = FileState.of(path)
    if state is None or state.inode != os.fstat(descriptor).st_ino:
        raise UploadMissing(path.name)
    return state


class UploadFile:
    """An upload's file during one append. The constructor locks it, `close` unlocks it."""

    def __init__(self, start: AppendStart) -> None:
        """Lock the file and remove bytes beyond the offset.

        Raises UploadBusy, also if another append wrote to the file after the request arrived; UploadMissing; StoreFull.
        """
        self._path = start.path
        self._space = start.space
        self._offset = self._position = self._write_back_from = start.offset
        self._broken = False
        with durable.unwritable_as_store_full():
            self._descriptor, state = _open_unchanged(start)
        try:
            self._hasher = self._prepare(start, state)
        except BaseException:
            self.close()
            raise

    def _prepare(self, start: AppendStart, state: FileState) -> hashlib._Hash | None:
        if state.size < start.offset:
            raise UploadMissing(self._path.name)
        if state.size > start.offset:
            self._truncate()
        if start.offset == 0:
            return hashlib.new(start.algorithm)
        running = start.running
        if running is None or running.size != start.offset or running.hasher.name != start.algorithm:
            return None
        return running.hasher.copy() if running.describes(self._descriptor) else None

    @property
    def hashing(self) -> bool:
        """Whether this append continues a running digest. If not, `digest` reads the bytes again."""
        return self._hasher is not None

    def write(self, chunks: Sequence[bytes]) -> None:
        """Write the next bytes. Raises StoreFull; after any other OSError, `undo` discards the file."""
        size = sum(map(len, chunks))
        self._space.require(size)
        try:
            with durable.unwritable_as_store_full():
                durable.write_all(self._descriptor, chunks, self._position)
        except OSError:
            self._broken = True
            raise
        self._position += size
        failpoints.hit("U2")
        if self._position - self._write_back_from >= WRITE_BACK_BYTES:
            durable.start_write_back(self._descriptor, self._write_back_from, self._position - self._write_back_from)
            self._write_back_from = self._position

    def hash(self, chunks: Sequence[bytes]) -> None:
        """Hash the next bytes if `hashing`. May run in another thread than `write`, at the same time."""
        if self._hasher is not None:
            for chunk in chunks:
                self._hasher.update(chunk)

    def finish(self) -> RunningDigest | None:
        """Sync the file; returns the running digest if `hashing`. Raises StoreFull, UploadMissing, OSError."""
        try:
            with durable.unwritable_as_store_full():
                durable.sync(self._descriptor)
                if self._offset == 0:
                    durable.sync_folder(self._path.parent)
        except BaseException:
            self._broken = True
            raise
        failpoints.hit("U3")
        if os.fstat(self._descriptor).st_nlink == 0:
            raise UploadMissing(self._path.name)
        if self._hasher is None:
            return None
        running = RunningDigest(self._position, self._hasher)
        write_record(self._descriptor, running.record())
        return running

    @property
    def size(self) -> int:
        """The size in bytes with everything written so far."""
        return self._position

    def undo(self) -> None:
        """Remove everything beyond the offset. After an input/output error, delete the file: it cannot be trusted."""
        if self._broken:
            self._path.unlink(missing_ok=True)
        else:
            self._truncate()

    def _truncate(self) -> None:
        drop_record_beyond(self._descriptor, self._offset)
        os.ftruncate(self._descriptor, self._offset)

    def close(self) -> None:
        """Close the file, which releases the lock."""
        os.close(self._descriptor)


def _open_unchanged(start: AppendStart) -> tuple[int, FileState]:
    """Open and lock the file, unless it was written to after the request arrived.

    The offset of such a request is outdated, and the bytes it would overwrite may have been acknowledged.
    """
    if start.state is not None:
        descriptor, state = open_locked(start.path)
        if state != start.state:
            os.close(descriptor)
            raise UploadBusy(start.path.name)
        return descriptor, state
    try:
        return open_locked(start.path, os.O_CREAT | os.O_EXCL)
    except FileExistsError:
        raise UploadBusy(start.path.name) from None


def append_small(start: AppendStart, chunks: Sequence[bytes]) -> tuple[int, RunningDigest | None]:
    """Do a whole append with one call, for a small body that has arrived completely."""
    file = UploadFile(start)
    try:
        file.write(chunks)
        file.hash(chunks)
        return file.size, file.finish()
    except BaseException:
        file.undo()
        raise
    finally:
        file.close()


def store_whole(path: Path, chunks: Sequence[bytes], space: DiskSpace) -> bool:
    """Create a file with these bytes, all or none, without waiting for the medium.

    False if the system or the file system has no files without a name. Raises UploadBusy if the file exists; StoreFull.
    """
    space.require(sum(map(len, chunks)))
    with durable.unwritable_as_store_full():
        descriptor = _open_unnamed(path.parent)
        if descriptor is None:
            return False
        try:
            durable.write_all(descriptor, chunks, 0)
            failpoints.hit("U2")
            failpoints.hit("U3")
            # The folder's descriptor is not used, but without one Python does not follow the link (linkat(2)).
            os.link(f"/proc/self/fd/{descriptor}", path, src_dir_fd=descriptor, follow_symlinks=True)
        except FileExistsError:
            raise UploadBusy(path.name) from None
        except FileNotFoundError:  # no /proc
            return False
        finally:
            os.close(descriptor)
    return True


def _open_unnamed(folder: Path) -> int | None:
    if sys.platform != "linux":
        return None
    try:
        return os.open(folder, os.O_TMPFILE | os.O_WRONLY, 0o600)
    except OSError as error:
        if error.errno in {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL}:
            return None
        raise
