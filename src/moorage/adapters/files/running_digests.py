"""Digests of growing uploads: what is already hashed, so that no byte is read twice.

The *record* is an extended attribute of the upload's file: "the first SIZE bytes have this digest". It is written
after those bytes are synced and removed before any of them is cut off, both under the upload's lock. So the record is
true at all times, for every process and after any crash. Losing it only costs reading the bytes again.

The *running digest* is the `hashlib` state in the memory of one process; it cannot be stored. A process continues its
running digest only if the record describes the same bytes, so it never misses what another process wrote meanwhile.
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

_ATTRIBUTE = "user.moorage.digest"
_SIZE = struct.Struct(">Q")
_ALGORITHM_OF_LENGTH = {32: "sha256", 64: "sha512"}

# The record is a hint: without extended attributes, or without room for one, the bytes are read again.
_UNSUPPORTED = {errno.ENOTSUP, errno.EPERM}
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}


@dataclass(frozen=True, slots=True)
class DigestRecord:
    """The digest (`sha256:…`) of the first `size` bytes of a file."""

    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class RunningDigest:
    """A hasher that has processed exactly the first `size` bytes of an upload.

    It `needs_record`, unless nobody can write these bytes again: those that `store_small` stored.
    """

    size: int
    hasher: hashlib._Hash
    needs_record: bool = True

    def describes(self, descriptor: int) -> bool:
        """Whether a file, which the caller has locked, begins with exactly these bytes."""
        return not self.needs_record or self.record() == read_record(descriptor)

    def record(self) -> DigestRecord:
        return DigestRecord(self.size, f"{self.hasher.name}:{self.hasher.hexdigest()}")


class RunningDigests:
    """The running digests of the most recently used uploads, by upload id. Others are dropped and read again."""

    def __init__(self, maximum: int = 4096) -> None:
        self._maximum = maximum
        self._by_upload: OrderedDict[str, RunningDigest] = OrderedDict()

    def get(self, upload: str) -> RunningDigest | None:
        return self._by_upload.get(upload)

    def keep(self, upload: str, running: RunningDigest) -> None:
        self._by_upload[upload] = running
        self._by_upload.move_to_end(upload)
        if len(self._by_upload) > self._maximum:
            self._by_upload.popitem(last=False)

    def pop(self, upload: str) -> RunningDigest | None:
        """Forget the digest of an upload, and return it."""
        return self._by_upload.pop(upload, None)


def hash_up_to(descriptor: int, size: int, algorithm: str, running: RunningDigest | None) -> RunningDigest:
    """Hash the first `size` bytes of a file; reads only bytes that `running` has not processed.

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
        """Write the record of a file whose first `record.size` bytes are synced. The caller holds the upload's lock.

        As binary it has 40 bytes for sha256, fits into an ext4 inode and needs no block of its own.
        """
        value = _SIZE.pack(record.size) + bytes.fromhex(record.digest.partition(":")[2])
        try:
            os.setxattr(descriptor, _ATTRIBUTE, value)
        except OSError as error:
            if error.errno not in _UNSUPPORTED | _NO_ROOM:
                raise

    def drop_record_beyond(descriptor: int, size: int) -> None:
        """Before the file is truncated to `size`: remove a record of more bytes. The caller holds the lock."""
        record = read_record(descriptor)
        if record is not None and record.size > size:
            os.removexattr(descriptor, _ATTRIBUTE)

else:  # Python supports extended attributes on Linux only

    def read_record(_file: int | Path) -> DigestRecord | None:
        """Return None: no records on this platform."""
        return None

    def write_record(_descriptor: int, _record: DigestRecord) -> None:
        """Do nothing: no records on this platform."""

    def drop_record_beyond(_descriptor: int, _size: int) -> None:
        """Do nothing: no records on this platform."""
