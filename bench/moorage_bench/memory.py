"""The memory of a server: the proportional set size of its process tree, sampled from /proc (Linux only).

The proportional set size (proc(5), smaps_rollup) counts a page that several processes share only once, so it is the
memory that the machine must have. Where the kernel does not report it, the resident set size is used.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable
from pathlib import Path

PROC = Path("/proc")
LISTEN = "0A"


def listeners(port: int, proc: Path = PROC) -> frozenset[int]:
    """The processes that listen on a TCP port; for workers, the supervisor that runs the same program."""
    sockets = {f"socket:[{inode}]" for table in ("tcp", "tcp6") for inode in _listening(proc / "net" / table, port)}
    if not sockets:
        return frozenset()
    parents = _parents(proc)
    ours = _ancestors(os.getpid(), parents)
    holders = {process for process in parents if sockets & _descriptors(proc / str(process))}
    return frozenset(_supervisor(process, parents, ours, proc) for process in holders - ours)


def process_tree(roots: Iterable[int], proc: Path = PROC) -> frozenset[int]:
    """The processes and all their descendants that exist now."""
    parents = _parents(proc)
    children: dict[int, list[int]] = {}
    for process, parent in parents.items():
        children.setdefault(parent, []).append(process)
    found: set[int] = set()
    waiting = [root for root in roots if root in parents]
    while waiting:
        process = waiting.pop()
        if process not in found:
            found.add(process)
            waiting.extend(children.get(process, ()))
    return frozenset(found)


def memory_of(process: int, proc: Path = PROC) -> int:
    """The memory of a process in bytes; 0 if it has just ended."""
    folder = proc / str(process)
    try:
        return _kibibytes((folder / "smaps_rollup").read_text(), "Pss:") * 1024
    except ProcessLookupError:
        return 0
    except (FileNotFoundError, PermissionError):
        pass  # an older kernel, or another user's process: everybody can read status
    try:
        return _kibibytes((folder / "status").read_text(), "VmRSS:") * 1024
    except (FileNotFoundError, ProcessLookupError):
        return 0


def free_memory(proc: Path = PROC) -> int:
    """The bytes that programs can take without swapping."""
    return _kibibytes((proc / "meminfo").read_text(), "MemAvailable:") * 1024


def warm_memory(size: int, proc: Path = PROC) -> None:
    """Touch and free `size` bytes, at most half of the free memory, so that the server finds warm pages.

    On a virtual machine the first touch of a page costs up to ten times as much as later ones, because the host must
    provide it. Without this step, a server that stores more new data would look slower.
    """
    size = min(size, free_memory(proc) // 2)
    if size:
        mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE).close()


class MemorySampler:
    """Samples the memory of the process trees under `roots` and keeps the peak."""

    def __init__(self, roots: Iterable[int], proc: Path = PROC) -> None:
        self._roots = frozenset(roots)
        self._proc = proc
        self.peak = 0

    def sample(self) -> int:
        """The memory now, in bytes. Processes that started since the last sample are included."""
        total = sum(memory_of(process, self._proc) for process in process_tree(self._roots, self._proc))
        self.peak = max(self.peak, total)
        return total


def _kibibytes(text: str, name: str) -> int:
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith(name)), 0)


def _listening(table: Path, port: int) -> list[str]:
    """The inodes of the listening sockets in a /proc/net/tcp table."""
    try:
        rows = [line.split() for line in table.read_text().splitlines()[1:]]
    except FileNotFoundError:
        return []  # a kernel without IPv6
    return [row[9] for row in rows if row[3] == LISTEN and int(row[1].rpartition(":")[2], 16) == port]


def _descriptors(folder: Path) -> set[str]:
    found: set[str] = set()
    try:
        for descriptor in (folder / "fd").iterdir():
            found.add(str(descriptor.readlink()))
    except (PermissionError, FileNotFoundError, ProcessLookupError):
        pass  # another user's process, or one that ended meanwhile: what was read is valid
    return found


def _parents(proc: Path) -> dict[int, int]:
    """The parent of each process. The name in `stat` may contain brackets, so it is cut off at the last one."""
    found = {}
    for folder in proc.iterdir():
        if folder.name.isdigit():
            try:
                stat = (folder / "stat").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            found[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
    return found


def _ancestors(process: int, parents: dict[int, int]) -> set[int]:
    found = set()
    while process in parents and process not in found:
        found.add(process)
        process = parents[process]
    return found


def _supervisor(process: int, parents: dict[int, int], ours: set[int], proc: Path) -> int:
    """The topmost ancestor that runs the same program: workers may listen while their supervisor does not."""
    program = _program(proc / str(process))
    parent = parents[process]
    while parent in parents and parent not in ours and program and _program(proc / str(parent)) == program:
        process, parent = parent, parents[parent]
    return process


def _program(folder: Path) -> str:
    try:
        return str((folder / "exe").readlink())
    except (PermissionError, FileNotFoundError, ProcessLookupError):
        return ""
