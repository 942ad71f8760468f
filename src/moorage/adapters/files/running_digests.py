"""Digests of uploads that are still growing: what is known already, so that no byte is read twice.

Two places know something. The *record* is an extended attribute of the upload's file: "the first SIZE bytes have this
digest". It is written after those bytes were synced and removed before any of them is cut off, both under the upload's
lock, so what it says is true at any moment, for every process and after any crash; losing it only costs reading again.
The *running digest* is the `hashlib` state that one process keeps, which cannot be stored. It goes on from where it
stands only when the record names the same bytes, so that what another process did in between is never overlooked.
"""

from __future__ import annotations

import errno
import hashlib
import os
import struct
import sys
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from moorage.domain.ports import CHUNK_BYTES

RUNNING = "sha256"
"""The algorithm that is computed while bytes arrive: the one of docker and ECR. Others read the file at the end."""

_ATTRIBUTE = "user.moorage.digest"
_SIZE = struct.Struct(">Q")
_ALGORITHM_OF_LENGTH = {32: "sha256", 64: "sha512"}

# The record is a hint: no extended attributes, or no room for one, only means that the bytes are read again.
_UNSUPPORTED = {errno.ENOTSUP, errno.EPERM}
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}


@dataclass(frozen=True, slots=True)
class DigestRecord:
    """The digest (`sha256:…`) of the first `size` bytes of a file."""

    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class RunningDigest:
    """A hasher that has seen exactly the first `size` bytes of an upload."""

    size: int
    hasher: hashlib._Hash

    def record(self) -> DigestRecord:
        return DigestRecord(self.size, f"{RUNNING}:{self.hasher.hexdigest()}")


class RunningDigests:
    """The running digests of the uploads used last, by upload; those used least are forgotten and read again."""

    def __init__(self, most: int = 4096) -> None:
        self._most = most
        self._by_upload: OrderedDict[str, RunningDigest] = OrderedDict()

    def get(self, upload: str) -> RunningDigest | None:
        return self._by_upload.get(upload)

    def keep(self, upload: str, running: RunningDigest) -> None:
        self._by_upload[upload] = running
        self._by_upload.move_to_end(upload)
        if len(self._by_upload) > self._most:
            self._by_upload.popitem(last=False)

    def forget(self, upload: str) -> None:
        self._by_upload.pop(upload, None)


def hash_up_to(descriptor: int, size: int, algorithm: str, running: RunningDigest | None) -> RunningDigest:
    """Hash the first `size` bytes of a file, reading only those that `running` has not seen.

    Raises EOFError when the file is shorter.
    """
    hasher = running.hasher.copy() if running else hashlib.new(algorithm)
    position = running.size if running else 0
    buffer = memoryview(bytearray(min(CHUNK_BYTES, size - position)))
    while position < size:
        count = os.preadv(descriptor, [buffer[: size - position]], position)
        if count == 0:
            raise EOFError(f"{position} bytes instead of {size}")
        hasher.update(buffer[:count])
        position += count
    return RunningDigest(size, hasher)


if sys.platform == "linux":

    def read_record(file: int | Path) -> DigestRecord | None:
        """The record of a file, or None. Raises FileNotFoundError and other OSErrors."""
        try:
            value = os.getxattr(file, _ATTRIBUTE)
        except OSError as error:
            if error.errno == errno.ENODATA or error.errno in _UNSUPPORTED:
                return None
            raise
        digest = value[_SIZE.size :]
        return DigestRecord(_SIZE.unpack_from(value)[0], f"{_ALGORITHM_OF_LENGTH[len(digest)]}:{digest.hex()}")

    def write_record(descriptor: int, record: DigestRecord) -> None:
        """Put a record on a file whose first `record.size` bytes are synced; the caller holds the upload's lock.

        In bytes, not text, it is 40 bytes long and fits into an ext4 inode, so it takes no block of its own.
        """
        value = _SIZE.pack(record.size) + bytes.fromhex(record.digest.partition(":")[2])
        try:
            os.setxattr(descriptor, _ATTRIBUTE, value)
        except OSError as error:
            if error.errno not in _UNSUPPORTED | _NO_ROOM:
                raise

    def drop_record_beyond(descriptor: int, size: int) -> None:
        """Before a file is cut to `size` bytes: drop a record that speaks of more; the caller holds the lock."""
        record = read_record(descriptor)
        if record is not None and record.size > size:
            os.removexattr(descriptor, _ATTRIBUTE)

else:  # Python has extended attributes on Linux only

    def read_record(_file: int | Path) -> DigestRecord | None:
        """There are no records here."""
        return None

    def write_record(_descriptor: int, _record: DigestRecord) -> None:
        """There are no records here."""

    def drop_record_beyond(_descriptor: int, _size: int) -> None:
        """There are no records here."""
