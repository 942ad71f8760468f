"""Copies from a file to a socket by the kernel (sendfile(2)), without waiting for the disk on the event loop."""

from __future__ import annotations

import asyncio
import os
from typing import Final

_NO_WAIT: Final[int | None] = getattr(os, "RWF_NOWAIT", None)
"""The flag of preadv2(2) for reading only what is in memory (Linux)."""


async def send_some(connection: int, file: int, position: int, size: int) -> int:
    """Copy at most `size` bytes from a position of a file; returns how many, 0 at the end of the file.

    Both are descriptors; the connection does not block. Raises BlockingIOError if it accepts nothing now, OSError.
    """
    if _is_in_memory(file, position + size - 1):
        return os.sendfile(connection, file, position, size)
    sending = asyncio.get_running_loop().run_in_executor(None, os.sendfile, connection, file, position, size)
    try:
        return await asyncio.shield(sending)
    except asyncio.CancelledError:
        # The caller closes the descriptors: their numbers could belong to other files while the thread uses them.
        await asyncio.wait([sending])
        raise


def _is_in_memory(file: int, position: int) -> bool:
    """Whether a byte of a file, and so probably those before it, can be read without waiting for the disk."""
    if _NO_WAIT is None:
        return False
    try:
        os.preadv(file, [bytearray(1)], position, _NO_WAIT)
    except OSError:  # BlockingIOError, or the file system does not support the flag.
        return False
    return True
