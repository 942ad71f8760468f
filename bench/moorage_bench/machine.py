"""The machine that is measured on: what it is, and how much of it programs without a part in the measurement took."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

from moorage_bench.memory import PROC, process_tree

TICKS = os.sysconf("SC_CLK_TCK")
IDLE, WAITING, GUEST = 3, 4, 8
"""Columns of the first line of /proc/stat (proc(5)) that are no work, or are counted in another column already."""


def machine() -> dict[str, str | int]:
    """What the figures depend on: processors that this process may use, memory, kernel, Python."""
    total = next(line for line in (PROC / "meminfo").read_text().splitlines() if line.startswith("MemTotal:"))
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memory MiB": int(total.split()[1]) // 1024,
        "python": platform.python_version(),
        "system": platform.platform(),
    }


class Bystanders:
    """Cores that other programs, and other guests of the same host, kept busy between `__init__` and `cores`.

    A ratio of medians forgives a short disturbance but not a long one; so the report says how quiet the machine was.
    """

    def __init__(self, server: frozenset[int], proc: Path = PROC, clock: Callable[[], float] = time.monotonic) -> None:
        self._server = server
        self._proc = proc
        self._clock = clock
        self._started = clock()
        self._before = self._others()

    def cores(self) -> float:
        """Average since the start; the grain of the kernel's accounting is 10 ms, so short spans are inexact."""
        return max(0.0, (self._others() - self._before) / max(self._clock() - self._started, 1 / TICKS))

    def _others(self) -> float:
        columns = (self._proc / "stat").read_text().split("\n", 1)[0].split()[1:]
        busy = sum(int(column) for number, column in enumerate(columns[:GUEST]) if number not in {IDLE, WAITING})
        ours = {os.getpid(), *process_tree(self._server, self._proc)}
        return (busy - sum(_ticks(self._proc / str(process)) for process in ours)) / TICKS


def _ticks(process: Path) -> int:
    """User and system time of the process, in clock ticks."""
    try:
        fields = (process / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(fields[11]) + int(fields[12])
