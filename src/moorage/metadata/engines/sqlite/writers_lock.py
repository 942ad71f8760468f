"""The lock file that excludes writers of other processes.

Writers wait in the kernel, which wakes them at once. The kernel sets no limit, and a stopped process (SIGSTOP, a
debugger, a frozen container) keeps its lock. So a `LockWatch` refuses the writes that wait too long, and commands give
up. `flock` does not reveal who has the lock; /proc/locks does (proc(5)), on Linux.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from moorage.domain.errors import Unavailable
from moorage.telemetry import Log

LOCK_SECONDS: Final = 10.0
"""The longest wait for the lock. A transaction takes milliseconds, and SQLite's own locks have the same limit."""

LOCKED: Final = "Another process has locked the database"
"""The reason that clients get. The log names the process."""

_STANDARD_ERROR: Final = 2
_POLL_SECONDS: Final = 0.01
_WATCH_SECONDS: Final = 1.0
_STOPPED: Final = {"T": "stopped", "t": "stopped by a debugger", "D": "waiting for the disk"}


class WritersLock:
    """The lock of one connection. `waiting_since` is when its thread began to wait for it (monotonic), or None."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.waiting_since: float | None = None

    def acquire(self) -> None:
        """Wait for the lock without a limit; a `LockWatch` observes the wait."""
        self.waiting_since = time.monotonic()
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        self.waiting_since = None

    def acquire_soon(self, seconds: float = LOCK_SECONDS) -> None:
        """Wait for the lock, for callers that nothing observes. Raises Unavailable."""
        end = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > end:
                    raise Unavailable(reason=f"The database is locked by {self.holder()}") from None
                time.sleep(_POLL_SECONDS)
            else:
                return

    def release(self) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self._descriptor)

    def holder(self) -> str:
        """The process that has the lock, and its state if it is stopped."""
        inode = f":{os.fstat(self._descriptor).st_ino}"
        try:
            locks = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
        except FileNotFoundError:
            return "another process"
        found = [words[4] for words in locks if words[1] == "FLOCK" and words[5].endswith(inode)]
        return " and ".join(f"process {process}{_state(process)}" for process in found) or "another process"


def _state(process: str) -> str:
    try:
        letter = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return f" ({_STOPPED[letter]})" if letter in _STOPPED else ""


class LockWatch:
    """Calls `refuse` while a thread has waited for the lock for too long, and logs who has it."""

    def __init__(self, lock: WritersLock, refuse: Callable[[Unavailable], None], seconds: float = LOCK_SECONDS) -> None:
        self._lock = lock
        self._refuse = refuse
        self._seconds = seconds
        self._ended = threading.Event()
        self._logged: float | None = None
        self._thread = threading.Thread(target=self._watch, name="database-lock-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def is_stuck(self) -> bool:
        """Whether the thread has waited for too long."""
        since = self._lock.waiting_since
        return since is not None and time.monotonic() - since > self._seconds

    def _watch(self) -> None:
        while not self._ended.wait(min(_WATCH_SECONDS, self._seconds)):
            if self.is_stuck():
                self._log_once()
                self._refuse(Unavailable(reason=LOCKED))

    def _log_once(self) -> None:
        since = self._lock.waiting_since
        if since != self._logged:
            self._logged = since
            # A log of its own, because this thread must not touch the lines of the event loop.
            log = Log(descriptor=_STANDARD_ERROR)
            log.event("database-locked", holder=self._lock.holder(), seconds=self._seconds)
