"""Bytes of files for connections: from memory on the event loop, from the disk in a thread.

A switch to a thread and back costs as much as the copy of a quarter of a megabyte, and the bytes of a layer
that is pulled often are in memory. So each piece is looked for in the page cache first (preadv2(2), RWF_NOWAIT).
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeVar

SLICE_BYTES: Final = 256 << 10
"""How much one call copies on the event loop at most, so that it holds others up for a tenth of a millisecond."""

_NO_WAIT: Final[int | None] = getattr(os, "RWF_NOWAIT", None)
"""The flag of preadv2(2) for reading only what is in memory (Linux)."""

_MEMORY_FILE_SYSTEMS: Final = frozenset({0x01021994, 0x858458F6})
"""The types of tmpfs and ramfs (statfs(2)): all their bytes are in memory, and tmpfs does not support RWF_NOWAIT."""

_STATFS_BYTES: Final = 256
"""More than the structure of statfs(2) has on any platform."""

_in_memory: Final[dict[int, bool]] = {}
"""Whether the file system on a device keeps everything in memory. To find out takes as long as to copy 64 KiB."""

T = TypeVar("T")


_SLICE: Final = memoryview(bytearray(SLICE_BYTES))
"""Where `OutgoingFile.copy_some` keeps a slice while it runs on the event loop."""


class OutgoingFile:
    """An open file whose bytes go to connections. The caller closes the descriptor."""

    __slots__ = ("_can_probe", "_descriptor", "_is_memory")

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._can_probe = _NO_WAIT is not None
        self._is_memory = False

    async def send_some(self, connection: int, position: int, size: int, at_once: int = SLICE_BYTES) -> int:
        """Let the kernel copy at most `size` bytes to a connection; returns how many, 0 at the end of the file.

        On the event loop it copies at most `at_once`. The connection is a descriptor that does not block. Raises
        BlockingIOError if it accepts nothing now, OSError.
        """
        at_once = min(size, at_once)
        if self._has_in_memory(position, at_once):
            return os.sendfile(connection, self._descriptor, position, at_once)
        return await _in_thread(lambda: os.sendfile(connection, self._descriptor, position, size))

    async def copy_some(self, connection: int, position: int, size: int, at_once: int = SLICE_BYTES) -> int:
        """`send_some` for a client on this machine: this process copies what is in memory.

        The kernel would pass on the pages of the file, and the client would copy them from main memory. It is often
        one thread, and then everything waits for it. Bytes that were just copied are in the processor's cache.
        """
        read = self._read_from_memory(_SLICE[: min(size, at_once)], position)
        if read:
            return os.write(connection, _SLICE[:read])
        return await _in_thread(lambda: os.sendfile(connection, self._descriptor, position, size))

    async def read_some(self, position: int, size: int, at_once: int = SLICE_BYTES) -> bytes:
        """Read at most `size` bytes, on the event loop at most `at_once`; empty at the end. Raises OSError."""
        at_once = min(size, at_once)
        if self._has_in_memory(position, at_once):
            return os.pread(self._descriptor, at_once, position)
        return await _in_thread(lambda: os.pread(self._descriptor, size, position))

    def _has_in_memory(self, position: int, size: int) -> bool:
        """Whether these bytes can be read without waiting for the disk, to judge by the first and the last of them."""
        if not self._can_probe:
            return self._is_memory
        flags = _NO_WAIT or 0
        try:
            os.preadv(self._descriptor, [bytearray(1)], position + size - 1, flags)
            os.preadv(self._descriptor, [bytearray(1)], position, flags)
        except BlockingIOError:
            return False
        except OSError:
            self._cannot_probe()
            return self._is_memory
        return True

    def _read_from_memory(self, target: memoryview, position: int) -> int:
        """Read what can be read without waiting for the disk; returns how many bytes, also 0 at the end of the file."""
        if self._can_probe:
            try:
                return os.preadv(self._descriptor, [target], position, _NO_WAIT or 0)
            except BlockingIOError:
                return 0
            except OSError:
                self._cannot_probe()
        return os.preadv(self._descriptor, [target], position) if self._is_memory else 0

    def _cannot_probe(self) -> None:
        """Note that the file system does not support the flag."""
        self._can_probe, self._is_memory = False, is_on_memory_file_system(self._descriptor)


async def read_whole(descriptor: int, *, is_memory: bool) -> bytes:
    """Read a whole small file. `is_memory`: its file system keeps everything in memory. Raises OSError."""
    size = os.fstat(descriptor).st_size
    if is_memory:
        return os.pread(descriptor, size, 0)
    if _NO_WAIT is not None:
        content = bytearray(size)
        with suppress(OSError):  # Its bytes are not in memory, or the file system does not support the flag.
            if os.preadv(descriptor, [content], 0, _NO_WAIT) == size:
                return bytes(content)
    return await _in_thread(lambda: os.pread(descriptor, size, 0))


def is_on_memory_file_system(descriptor: int) -> bool:
    """Whether a file or folder is in a file system that keeps everything in memory (statfs(2), Linux)."""
    if sys.platform != "linux":
        return False
    device = os.fstat(descriptor).st_dev
    if device not in _in_memory:
        _in_memory[device] = _file_system_type(descriptor) in _MEMORY_FILE_SYSTEMS
    return _in_memory[device]


def _file_system_type(descriptor: int) -> int:
    described = ctypes.create_string_buffer(_STATFS_BYTES)
    if ctypes.CDLL(None).fstatfs(descriptor, described) != 0:
        return 0
    return ctypes.c_long.from_buffer(described).value & 0xFFFFFFFF


async def _in_thread(work: Callable[[], T]) -> T:
    """Run `work` in a thread, and wait for its end even if the caller is cancelled.

    The caller then closes the descriptors: their numbers could belong to other files while the thread uses them.
    """
    working = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        await asyncio.wait([working])
        raise
