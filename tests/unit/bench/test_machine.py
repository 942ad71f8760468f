"""The description of the machine in the report."""

from __future__ import annotations

import os
from pathlib import Path

from moorage_bench.machine import TICKS, UnrelatedWork, machine


def make_ticks(proc: Path, busy: int, own: int, server: int) -> None:
    """The kernel's accounts in clock ticks. The idle, waiting and guest columns must not be counted."""
    (proc / "stat").write_text(f"cpu  {busy - 5} 1 1 9999 8888 1 1 1 7777 6666\ncpu0 1 1\n")
    for process, ticks in ((os.getpid(), own), (20, server), (21, server)):
        (proc / str(process)).mkdir(exist_ok=True)
        parent = 20 if process == 21 else 1
        (proc / str(process) / "stat").write_text(f"{process} (a b) S {parent} 1 1 0 0 0 0 0 0 0 {ticks} 1 0 0")


def test_the_work_of_client_and_server_is_not_counted_as_unrelated(tmp_path: Path) -> None:
    now = 100.0
    make_ticks(tmp_path, busy=1000, own=10, server=20)
    unrelated = UnrelatedWork(frozenset({20}), tmp_path, lambda: now)

    now = 102.0
    make_ticks(tmp_path, busy=1000 + 4 * TICKS, own=10 + TICKS // 2, server=20 + TICKS)

    assert unrelated.cores() == (4 - 0.5 - 2 * 1) / 2


def test_a_real_machine_has_no_negative_unrelated_work() -> None:
    assert UnrelatedWork(frozenset()).cores() >= 0


def test_the_machine_is_described() -> None:
    described = machine()

    assert set(described) == {"cores", "memory MiB", "python", "system"}
    assert int(described["memory MiB"]) > 0
