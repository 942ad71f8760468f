"""Locks between the processes of a machine. The kernel releases those of a process that ends."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

_LOCK_SECONDS: Final = 0.2


@asynccontextmanager
async def exclusive_lock(path: Path) -> AsyncIterator[None]:
    """Hold the lock file; wait without blocking the event loop while somebody else has it. Raises OSError."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while not is_locked(lock, fcntl.LOCK_EX):  # noqa: ASYNC110 - another process has it
            await asyncio.sleep(_LOCK_SECONDS)
        yield
    finally:
        os.close(lock)


def is_locked(lock: int, kind: int) -> bool:
    """Lock an open file or folder; False if another process's lock excludes that."""
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
