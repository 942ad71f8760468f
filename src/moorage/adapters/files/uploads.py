"""The file of one upload, locked for one append or for the commit. Everything here blocks and runs in pool threads.

The lock is `flock`: exclusive between processes and between two requests of one process, and gone with a process that
is killed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from moorage import failpoints
from moorage.adapters.files import durable
from moorage.adapters.files.running_digests import RunningDigest, drop_record_beyond, read_record, write_record
from moorage.domain.ports import UploadBusy, UploadMissing

WRITE_BACK_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class Glimpse:
    """How a file looked at one moment: two that differ mean that somebody wrote to it in between."""

    inode: int
    size: int
    modified: int

    @classmethod
    def of(cls, path: Path) -> Glimpse | None:
        """A look at a file; None when there is none."""
        try:
            status = path.stat()
        except FileNotFoundError:
            return None
        return cls(status.st_ino, status.st_size, status.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class Start:
    """Where an append begins, as it was when its request arrived."""

    path: Path
    offset: int
    glimpse: Glimpse | None
    running: RunningDigest | None


def open_locked(path: Path, flags: int = 0) -> tuple[int, Glimpse]:
    """Open an upload's file, lock it and look at it.

    Raises UploadBusy, and UploadMissing when the file is not there or was finished before the lock was ours.
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


def _lock(descriptor: int, path: Path) -> Glimpse:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UploadBusy(path.name) from None
    # Between open and lock the file may have become a blob, which nobody may write to any more.
    glimpse = Glimpse.of(path)
    if glimpse is None or glimpse.inode != os.fstat(descriptor).st_ino:
        raise UploadMissing(path.name)
    return glimpse


class UploadFile:
    """An upload's file during one append: made with the lock, given up with `close`."""

    def __init__(self, start: Start) -> None:
        """Lock the file and drop what is beyond the offset.

        Raises UploadBusy, also when another append was at the file since the request arrived; UploadMissing; StoreFull.
        """
        self._path = start.path
        self._offset = self._position = self._handed_on = start.offset
        self._broken = False
        with durable.unwritable_as_store_full():
            self._descriptor, glimpse = _open_as_seen(start)
        try:
            self._hasher = self._prepare(start, glimpse)
        except BaseException:
            self.close()
            raise

    def _prepare(self, start: Start, glimpse: Glimpse) -> hashlib._Hash | None:
        if glimpse.size < start.offset:
            raise UploadMissing(self._path.name)
        if glimpse.size > start.offset:
            self._truncate()
        if start.offset == 0:
            return hashlib.sha256()
        if start.running is None or start.running.size != start.offset:
            return None
        return start.running.hasher.copy() if start.running.record() == read_record(self._descriptor) else None

    @property
    def hashing(self) -> bool:
        """Whether this append continues a digest; otherwise the bytes are read again when the digest is asked for."""
        return self._hasher is not None

    def write(self, chunks: Sequence[bytes]) -> None:
        """Write the next bytes. Raises StoreFull; after any other OSError the file is discarded by `undo`."""
        try:
            with durable.unwritable_as_store_full():
                durable.write_all(self._descriptor, chunks, self._position)
        except OSError:
            self._broken = True
            raise
        self._position += sum(map(len, chunks))
        failpoints.hit("U2")
        if self._position - self._handed_on >= WRITE_BACK_BYTES:
            durable.start_write_back(self._descriptor, self._handed_on, self._position - self._handed_on)
            self._handed_on = self._position

    def hash(self, chunks: Sequence[bytes]) -> None:
        """Hash the next bytes, at the same time as `write` in another thread; only when `hashing`."""
        if self._hasher is not None:
            for chunk in chunks:
                self._hasher.update(chunk)

    def finish(self) -> RunningDigest | None:
        """Make all of it durable; the digest so far when `hashing`. Raises StoreFull, UploadMissing, OSError."""
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
        """The size in bytes after what was written so far."""
        return self._position

    def undo(self) -> None:
        """Leave nothing beyond the offset; a file that had an input/output error is no longer trusted at all."""
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


def _open_as_seen(start: Start) -> tuple[int, Glimpse]:
    """Open and lock the file unless somebody wrote to it since the request arrived.

    The offset of such a request is out of date, and what it would overwrite may have been acknowledged.
    """
    if start.glimpse is not None:
        descriptor, glimpse = open_locked(start.path)
        if glimpse != start.glimpse:
            os.close(descriptor)
            raise UploadBusy(start.path.name)
        return descriptor, glimpse
    try:
        return open_locked(start.path, os.O_CREAT | os.O_EXCL)
    except FileExistsError:
        raise UploadBusy(start.path.name) from None


def append_at_once(start: Start, chunks: Sequence[bytes]) -> tuple[int, RunningDigest | None]:
    """A whole append in one go, for a body that is small and there already."""
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
