"""What a run found: every single figure for machines (JSON), medians and ratios for people (a table)."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import msgspec

from moorage import __version__


class Series(msgspec.Struct, frozen=True):
    """The figures of one workload on one target, in the order measured, warm-up left out."""

    target: str
    values: list[float]
    seconds: list[float]
    requests: list[int]
    client_microseconds_a_request: float
    others_cores: list[float]

    @property
    def median(self) -> float:
        """The middle figure."""
        return statistics.median(self.values)


class Row(msgspec.Struct, frozen=True):
    """One workload: series by target, the first target first, and what was left out and why."""

    workload: str
    unit: str
    series: list[Series]
    skipped: dict[str, str]

    def ratios(self, first: str) -> dict[str, float]:
        """Median of the target `first` over that of each other one; empty where `first` was not measured."""
        medians = {series.target: series.median for series in self.series}
        if first not in medians:
            return {}
        return {name: medians[first] / median for name, median in medians.items() if name != first and median}


class Report(msgspec.Struct, frozen=True):
    """A whole run."""

    moorage: str
    date: str
    machine: dict[str, str | int]
    targets: dict[str, str]
    repeat: int
    framing: str
    scale: dict[str, float]
    rows: list[Row]

    def to_json(self) -> bytes:
        """The report with medians and ratios added, indented."""
        document = msgspec.to_builtins(self)
        for row, fields in zip(self.rows, document["rows"], strict=True):
            fields["ratios"] = row.ratios(next(iter(self.targets)))
            for series, values in zip(row.series, fields["series"], strict=True):
                values["median"] = series.median
        return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"

    def to_table(self) -> str:
        """Aligned plain text: medians, spread, ratios, cost of the client."""
        names = list(self.targets)
        head = [
            "workload",
            "unit",
            *names,
            *(f"ratio to {name}" for name in names[1:]),
            "spread",
            "client µs/request",
            "others' cores",
        ]
        lines = [_line(row, names) for row in self.rows if row.series]
        skipped: dict[str, list[str]] = {}
        for row in self.rows:
            for name, why in row.skipped.items():
                skipped.setdefault(f"{name} {why}", []).append(row.workload)
        notes = [f"{reason}; not measured: {', '.join(workloads)}" for reason, workloads in skipped.items()]
        machine = ", ".join(f"{name} {value}" for name, value in self.machine.items())
        about = [
            f"moorage {self.moorage}, {self.date}, {machine}",
            f"medians of {self.repeat}; ratio: first target over the other",
        ]
        return "\n".join([*_aligned([head, *lines]), "", *notes, *about])


def _line(row: Row, names: Sequence[str]) -> list[str]:
    medians = {series.target: _figure(series.median) for series in row.series}
    ratios = {name: f"{ratio:.2f}x" for name, ratio in row.ratios(names[0]).items()}
    spread = max((spread_of(series.values) for series in row.series), default=0.0)
    cost = row.series[0].client_microseconds_a_request if row.series else 0.0
    others = max((one for series in row.series for one in series.others_cores), default=0.0)
    figures = [medians.get(name, "-") for name in names]
    return [
        row.workload,
        row.unit,
        *figures,
        *(ratios.get(name, "-") for name in names[1:]),
        f"{spread:.0%}",
        _figure(cost),
        f"{others:.1f}",
    ]


def spread_of(values: Sequence[float]) -> float:
    """Distance of the extremes over the median: how far single runs differ."""
    middle = statistics.median(values)
    return (max(values) - min(values)) / middle if middle else 0.0


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        words = [cell.ljust(width) for cell, width in zip(row[:2], widths[:2], strict=True)]
        figures = [cell.rjust(width) for cell, width in zip(row[2:], widths[2:], strict=True)]
        lines.append("  ".join([*words, *figures]))
    return lines


def version_and_date() -> tuple[str, str]:
    """Version of this program, and the time in UTC."""
    return __version__, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
