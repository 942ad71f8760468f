"""Run a program that reads hostile bytes: confined by the kernel, watched, and ended with all that it wrote.

`launcher.py` confines the program before it starts. It gets an empty environment, a folder of its own to write to,
only the files that it is given to read, and no network. This process ends it when it takes too long, or too much memory
or disk space.
"""

from __future__ import annotations

import asyncio
import json  # noqa: TID251 - it only writes
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from moorage.adapters.files.durable import make_folders
from moorage.adapters.scanners import launcher
from moorage.adapters.scanners.locks import exclusive_lock
from moorage.adapters.scanners.reports import REASON_LIMIT
from moorage.adapters.scanners.workspaces import PRINTED, Workspace
from moorage.bounds import shortened
from moorage.domain import strict_json
from moorage.domain.strict_json import BadJson
from moorage.telemetry import Log

_WATCH_SECONDS: Final = 0.1
_MEASURE_EVERY: Final = 5
"""The disk is measured at every so many looks at the memory, because that walks through a folder."""

_ERROR_BYTES: Final = 4096
"""The end of what a program writes to standard error is kept."""

_UNPRINTABLE: Final = re.compile(r"[^\x20-\x7e]+")
_READABLE: Final = (
    "/dev/null",
    "/dev/urandom",
    "/etc/localtime",
    "/proc/self",
    "/sys/fs/cgroup",
    "/sys/kernel/mm/transparent_hugepage",
    "/usr/share/zoneinfo",
)
"""What Go's runtime reads. It holds nothing of this server."""

_NO_ROOM: Final = ("file too large", "File too large")
"""What programs say that handle the signal of a file over its limit: Go's do."""

_LIBRARIES: Final = ("/usr/lib", "/usr/lib64", "/lib", "/lib64")
"""For a program that is not linked statically."""


class ProgramFailed(Exception):
    """A confined program did not do its work. The text says why, without paths of this machine."""


class ProgramEnded(ProgramFailed):
    """The program was not started, or something ended it from outside: another attempt may succeed."""


class ProgramGreedy(ProgramFailed):
    """The program was ended because it took more than its limits."""


@dataclass(frozen=True, slots=True)
class Program:
    """An executable file, pinned by its digest: another file at its place is not run."""

    path: Path
    sha256: str


@dataclass(frozen=True, slots=True)
class SandboxLimits:
    """What one run of a program may take: seconds, bytes of memory, bytes on the disk."""

    seconds: float
    memory: int
    disk: int


@dataclass(frozen=True, slots=True)
class Command:
    """What to run: arguments without the program's own name, its environment, and the folders that it may read."""

    arguments: Sequence[str]
    environment: Mapping[str, str]
    read: Sequence[Path] = ()
    limits: SandboxLimits | None = None


class Sandbox:
    """Runs a program in a workspace. `limits` hold for each run that has none of its own.

    Of all processes that have the lock file `lock`, one runs a program at a time, so that its memory is taken once.
    """

    def __init__(self, program: Program, limits: SandboxLimits, log: Log, lock: Path | None = None) -> None:
        self._program = program
        self._limits = limits
        self._log = log
        self._lock = lock
        self._examined: tuple[tuple[int, ...], str | None] | None = None

    def problem(self) -> str | None:
        """Why the program would not be run; None if it would.

        A program that has changed since the last look is read whole, so call it in a thread.
        """
        version = _version_of(self._program.path)
        if self._examined is None or self._examined[0] != version:
            self._examined = version, self._examine()
        return self._examined[1]

    def _examine(self) -> str | None:
        try:
            os.close(launcher.opened(str(self._program.path), self._program.sha256))
        except OSError as error:
            return f"The scanner cannot be started: {error.strerror} ({self._program.path})"
        except SystemExit as error:
            return f"The scanner is not started: {error}"
        return None

    async def run(self, command: Command, workspace: Workspace) -> None:
        """Run the program until it ends by itself with exit code 0. Raises ProgramFailed, OSError.

        Nothing of it runs when this returns or is cancelled. Its files are in `workspace.output`.
        """
        async with self._turn():
            await self._run(command, workspace)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Wait until no other process runs a program. The seconds of a run begin afterwards."""
        if self._lock is None:
            yield
            return
        make_folders([self._lock.parent])
        async with exclusive_lock(self._lock):
            yield

    async def _run(self, command: Command, workspace: Workspace) -> None:
        limits = command.limits or self._limits
        with (workspace.output / PRINTED).open("wb") as printed:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                "-S",
                launcher.__file__,
                json.dumps(self._specification(command, limits, workspace)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=printed,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
                env={},
                cwd=workspace.output,
            )
        try:
            reading = asyncio.create_task(_end_of(process.stderr))
            try:
                await _watch(process, limits, workspace)
            finally:
                _kill(process)
                await process.wait()
            error = await reading
        finally:
            reading.cancel()
        self._report(workspace)
        _check(process.returncode or 0, error, workspace)

    def _specification(self, command: Command, limits: SandboxLimits, workspace: Workspace) -> dict[str, object]:
        home = str(workspace.output)
        return {
            "parent": os.getpid(),
            "program": str(self._program.path),
            "sha256": self._program.sha256,
            "arguments": [self._program.path.name, *command.arguments],
            "environment": {"HOME": home, "TMPDIR": home, "XDG_CACHE_HOME": home, **command.environment},
            "read": [*_READABLE, *map(str, command.read)],
            "write": [home, "/dev/null"],
            "execute": _LIBRARIES,
            "limits": {
                "RLIMIT_CPU": int(limits.seconds) + 1,
                "RLIMIT_AS": 2 * limits.memory + (4 << 30),  # Addresses: Go reserves more of them than it ever uses.
                "RLIMIT_FSIZE": limits.disk,
                "RLIMIT_NOFILE": 1024,
                "RLIMIT_NPROC": 256,
            },
            "note": str(workspace.note),
        }

    def _report(self, workspace: Workspace) -> None:
        """Log what this machine's kernel did not do to confine the program."""
        try:
            note = strict_json.read_as(dict[str, int], workspace.note.read_bytes())
        except (OSError, BadJson):  # The program was not started.
            return
        if not note["landlock"]:
            reason = "the kernel has no Landlock: the scanner can read what the user of this server can read"
            self._log.event_once("scanner-less-confined", reason=reason)
        if not note["is_offline"]:
            reason = "the kernel permits no network namespace: the scanner can use the network, as far as Landlock"
            self._log.event_once("scanner-less-confined", reason=f"{reason} does not refuse it")


def _version_of(path: Path) -> tuple[int, ...]:
    """Differs after each change of a file; empty if there is none."""
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_dev, status.st_ino, status.st_mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns


async def _end_of(stream: asyncio.StreamReader | None) -> bytes:
    """The last bytes of a stream."""
    kept = b""
    while stream is not None and (chunk := await stream.read(_ERROR_BYTES)):
        kept = (kept + chunk)[-_ERROR_BYTES:]
    return kept


async def _watch(process: asyncio.subprocess.Process, limits: SandboxLimits, workspace: Workspace) -> None:
    """Return when the process has ended. Raises ProgramFailed when it exceeds a limit."""
    end = time.monotonic() + limits.seconds
    ending = asyncio.create_task(process.wait())
    look = 0
    try:
        while not (await asyncio.wait({ending}, timeout=_WATCH_SECONDS))[0]:
            look += 1
            if time.monotonic() > end:
                raise ProgramGreedy(f"The scanner did not end within {limits.seconds:.0f} seconds")
            if _memory_of(process.pid) > limits.memory:
                raise ProgramGreedy(f"The scanner took more than {limits.memory >> 20} MiB of memory")
            try:
                workspace.require_space()
            except OSError as error:
                raise ProgramEnded(f"The scanner was ended: {error.strerror}") from None
            if look % _MEASURE_EVERY == 0 and await asyncio.to_thread(workspace.bytes_written) > limits.disk:
                raise ProgramGreedy(f"The scanner wrote more than {limits.disk >> 20} MiB")
    finally:
        ending.cancel()


def _memory_of(process: int) -> int:
    """The bytes of memory that a process uses; 0 where /proc does not say."""
    try:
        return int(Path(f"/proc/{process}/statm").read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def _kill(process: asyncio.subprocess.Process) -> None:
    """End the process and all that it started, also after it ended itself."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _check(code: int, error: bytes, workspace: Workspace) -> None:
    """Raises ProgramFailed for any end but exit code 0."""
    if code == 0:
        return
    text = error.decode("utf-8", "replace").replace(str(workspace.folder), "")
    said = shortened(_UNPRINTABLE.sub(" ", text).strip()[-REASON_LIMIT:], REASON_LIMIT)
    if code == launcher.REFUSED or b"has the SHA-256" in error:
        raise ProgramEnded(f"The scanner was not started: {said}")
    if code == -signal.SIGXFSZ or any(word in said for word in _NO_ROOM):
        raise ProgramGreedy("The scanner wrote a file that is larger than its limit")
    if code == -signal.SIGXCPU:
        raise ProgramGreedy("The scanner took more processor time than its limit")
    if code < 0:
        raise ProgramEnded(f"The scanner was ended by signal {-code}")
    raise ProgramFailed(f"The scanner ended with exit code {code}: {said or 'no reason given'}")
