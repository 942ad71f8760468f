"""Fill, serve and measure one size after the other."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from moorage_bench.content import MIB
from moorage_bench.growth.measures import READS, Site, delete_repository, preview, writes
from moorage_bench.growth.report import GrowthReport, GrowthRow
from moorage_bench.growth.rows import fill
from moorage_bench.machine import machine
from moorage_bench.memory import MemorySampler
from moorage_bench.peers.kinds import GROWN, OURS
from moorage_bench.peers.servers import Fleet, Server
from moorage_bench.report import version_and_date

Log = Callable[[str], None]
Figures = dict[tuple[str, str], float]
"""Figures by name and unit."""


def grow(sizes: Sequence[int], folder: Path | None, log: Log) -> GrowthReport:
    """Measure each size, the smallest first, in a data folder of its own. Raises BenchmarkError."""
    ordered = sorted(set(sizes))
    columns = [_measured(size, folder, log) for size in ordered]
    rows = [GrowthRow(name, unit, [column[name, unit] for column in columns]) for name, unit in columns[0]]
    version, date = version_and_date()
    command = " ".join(["moorage bench", *(f"--size {size:.0e}".replace("e+0", "e") for size in ordered)])
    return GrowthReport(version, date, machine(), command, ordered, rows)


def _measured(size: int, folder: Path | None, log: Log) -> Figures:
    server = Server(GROWN, OURS, folder)
    with Fleet([server]):
        server.halt()
        began = time.perf_counter()
        filled = fill(server.data, size)
        log(f"{size:,} images: filled in {time.perf_counter() - began:.0f} s")
        figures: Figures = {("start", "s"): server.start()}
        site = Site(server.target, filled, random.Random(1))  # noqa: S311 - the same requests each time
        memory = MemorySampler(server.target.processes())
        figures["memory after start", "MiB"] = memory.sample() / MIB
        for row in (*READS, *writes()):
            figures[row.name, "ms"] = row.measure(site)
            log(f"{size:,} images: {row.name} {figures[row.name, 'ms']:,.2f} ms")
        figures["lifecycle preview", "s"] = preview(site)
        deleted, beside = delete_repository(site)
        figures["DeleteRepository with force", "ms"] = deleted
        figures["PUT manifest beside the deletion", "ms"] = beside
        figures["memory at the end", "MiB"] = memory.sample() / MIB
        return figures
