"""The guard of a test run: removes what the run started and mounted, however the run ends.

1. A run has a folder for all its temporary files. The environment variable `TEST_RUN_FOLDER` names the folder. Every
   process that the run starts inherits the variable, even if it moves to another session or process group.
2. The guard is a process of its own. It waits on a pipe whose other end only the run's main process holds, so it also
   notices a SIGKILL. Then it kills the processes that have the variable, unmounts what is mounted below the folder,
   and deletes the folder.
3. The run and its guard lock the folder while they live. A new run clears folders whose lock is free: their runs and
   guards were both killed.

Processes and mounts are found in `/proc`, so only Linux kills and unmounts. Elsewhere the guard deletes the folder.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

VARIABLE: Final = "TEST_RUN_FOLDER"

# Short, because podman allows no more than 50 characters for a path in the folder.
_PREFIX = "test-moorage-"
_UNFINISHED_PREFIX = "new-"
_CLEAR_SECONDS = 60
_POLL_SECONDS = 0.02
_PROC = Path("/proc")


class Run:
    """A test run: its folder, the lock on the folder, and its guard."""

    def __init__(self) -> None:
        """Clear what dead runs left, then start a guard and point this process's temporary files to the new folder."""
        parent = Path(tempfile.gettempdir())
        clear_dead_runs(parent)
        self.folder, self._lock = _locked_folder(parent)
        self._guard = _started_guard(self.folder, self._lock)
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(parent))  # pytest keeps its own folders for a few runs
        os.environ |= {VARIABLE: str(self.folder), "TMPDIR": str(self.folder)}
        tempfile.tempdir = str(self.folder)

    def end(self) -> None:
        """Let the guard clear the folder. Raises CalledProcessError when it could not."""
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        code = self._guard.wait()
        os.close(self._lock)
        if code:
            raise subprocess.CalledProcessError(code, self._guard.args)


def run_folder() -> Path:
    """The folder of this run, in its main process and in all processes that the run started."""
    return Path(os.environ[VARIABLE])


def clear_dead_runs(parent: Path) -> None:
    """Clear the folders of runs that have ended together with their guards."""
    for folder in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                clear(folder)
            finally:
                os.close(descriptor)


def clear(folder: Path) -> None:
    """Kill the processes of a run, unmount what is mounted below its folder, and delete the folder."""
    end = time.monotonic() + _CLEAR_SECONDS
    while folder.exists() and time.monotonic() < end:
        for pid in processes_of(folder):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        for place in reversed(mounts_below(folder)):
            subprocess.run(["umount", "--lazy", place], check=False)
        # A process that was killed may still write, and what is mounted may belong to somebody else.
        if not processes_of(folder) and not mounts_below(folder):
            shutil.rmtree(folder, ignore_errors=True)
        time.sleep(_POLL_SECONDS)


def processes_of(folder: Path) -> set[int]:
    """The processes that have the folder in their environment, and their descendants; never this process.

    A run within this run has a folder below this one, so its processes are found as well.
    """
    entry = re.compile(rb"(^|\0)" + re.escape(f"{VARIABLE}={folder}".encode()) + rb"[/\0]")
    parents = dict(_parents())
    found = {pid for pid in parents if entry.search(_read(pid, "environ"))}
    while children := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= children
    return found - {os.getpid()}


def mounts_below(folder: Path) -> list[str]:
    """The places below the folder on which something is mounted, in the order in which they were mounted."""
    mounts = _PROC / "self" / "mounts"
    lines = mounts.read_text().splitlines() if mounts.exists() else []
    return [place for place in (line.split()[1] for line in lines) if place.startswith(f"{folder}/")]


def _parents() -> Iterator[tuple[int, int]]:
    """Each process that runs, with its parent."""
    for path in _PROC.glob("[0-9]*"):
        state, _, parent = _read(int(path.name), "stat").rpartition(b")")[2].strip().partition(b" ")
        if state and state != b"Z":
            yield int(path.name), int(parent.split()[0])


def _read(pid: int, name: str) -> bytes:
    """A file of a process; empty when the process has ended or belongs to another user."""
    with suppress(OSError):
        return (_PROC / str(pid) / name).read_bytes()
    return b""


def _locked_folder(parent: Path) -> tuple[Path, int]:
    """A new folder, which only has the name of a run when it is locked."""
    unfinished = Path(tempfile.mkdtemp(prefix=_UNFINISHED_PREFIX, dir=parent))
    unfinished.chmod(0o711)  # for PostgreSQL, which refuses to run as root
    descriptor = os.open(unfinished, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    name = unfinished.name.removeprefix(_UNFINISHED_PREFIX)
    return unfinished.rename(parent / f"{_PREFIX}{name}"), descriptor


def _started_guard(folder: Path, lock: int) -> subprocess.Popen[bytes]:
    """The guard inherits the lock. It is in a session of its own, so that Ctrl-C does not reach it."""
    return subprocess.Popen(
        [sys.executable, "-I", "-S", __file__, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        pass_fds=[lock],
        start_new_session=True,
    )


def _guard(folder: Path) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    clear(folder)
    sys.exit(f"not cleared within {_CLEAR_SECONDS} s: {folder}" if folder.exists() else 0)


if __name__ == "__main__":
    _guard(Path(sys.argv[1]))
