"""The machine that runs the benchmark, and how many of its cores unrelated programs use."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

from moorage_bench.memory import PROC, process_tree

TICKS = os.sysconf("SC_CLK_TCK")
IDLE, WAITING, GUEST = 3, 4, 8
"""Columns of the first line of /proc/stat (proc(5)) that are not work, or are already part of another column."""


def machine() -> dict[str, str | int]:
    """What the results depend on: usable processors, memory, kernel, Python."""
    total = next(line for line in (PROC / "meminfo").read_text().splitlines() if line.startswith("MemTotal:"))
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memory MiB": int(total.split()[1]) // 1024,
        "python": platform.python_version(),
        "system": platform.platform(),
    }


class UnrelatedWork:
    """The cores that other programs, and other guests of the same host, use between `__init__` and `cores`.

    A ratio of medians is robust against short disturbances but not against long ones, so the report shows this.
    """

    def __init__(self, server: frozenset[int], proc: Path = PROC, clock: Callable[[], float] = time.monotonic) -> None:
        self._server = server
        self._proc = proc
        self._clock = clock
        self._started = clock()
        self._before = self._unrelated()

    def cores(self) -> float:
        """The average since the start. The kernel counts in steps of 10 ms, so short spans are inexact."""
        return max(0.0, (self._unrelated() - self._before) / max(self._clock() - self._started, 1 / TICKS))

    def _unrelated(self) -> float:
        columns = (self._proc / "stat").read_text().split("\n", 1)[0].split()[1:]
        busy = sum(int(column) for number, column in enumerate(columns[:GUEST]) if number not in {IDLE, WAITING})
        ours = {os.getpid(), *process_tree(self._server, self._proc)}
        return (busy - sum(_ticks(self._proc / str(process)) for process in ours)) / TICKS


def _ticks(process: Path) -> int:
    """User and system time of a process, in clock ticks."""
    try:
        fields = (process / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(fields[11]) + int(fields[12])
