"""The results of a run: all of them as JSON, and medians and ratios as a table."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import msgspec

from moorage import __version__


class Series(msgspec.Struct, frozen=True):
    """The results of one workload on one target, in the order of the rounds, without the warm-up."""

    target: str
    values: list[float]
    seconds: list[float]
    requests: list[int]
    client_microseconds_a_request: float
    others_cores: list[float]

    @property
    def median(self) -> float:
        """The median result."""
        return statistics.median(self.values)


class Row(msgspec.Struct, frozen=True):
    """One workload: a series for each target, the first target first, and the reason for each skipped target.

    `fewer` is whether a smaller result is better.
    """

    workload: str
    unit: str
    series: list[Series]
    skipped: dict[str, str]
    fewer: bool = False

    def ratios(self, first: str) -> dict[str, float]:
        """The median of the target `first` divided by each other median; empty if `first` was not measured."""
        medians = {series.target: series.median for series in self.series}
        if first not in medians:
            return {}
        return {name: medians[first] / median for name, median in medians.items() if name != first and median}


class Report(msgspec.Struct, frozen=True):
    """The results of a whole run."""

    moorage: str
    date: str
    machine: dict[str, str | int]
    targets: dict[str, str]
    command: str
    repeat: int
    framing: str
    scale: dict[str, float]
    rows: list[Row]

    @classmethod
    def from_json(cls, data: bytes) -> Report:
        """The report that `to_json` wrote. Raises msgspec.DecodeError for anything else."""
        return msgspec.json.decode(data, type=cls)

    def to_json(self) -> bytes:
        """The report as indented JSON, with medians and ratios added."""
        document = msgspec.to_builtins(self)
        for row, fields in zip(self.rows, document["rows"], strict=True):
            fields["ratios"] = row.ratios(next(iter(self.targets)))
            for series, values in zip(row.series, fields["series"], strict=True):
                values["median"] = series.median
        return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"

    def to_table(self) -> str:
        """The report as aligned text: medians, spread, ratios, and the cost of the client."""
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
            for name, reason in row.skipped.items():
                skipped.setdefault(f"{name} {reason}", []).append(row.workload)
        notes = [f"{note}; not measured: {', '.join(workloads)}" for note, workloads in skipped.items()]
        machine = ", ".join(f"{name} {value}" for name, value in self.machine.items())
        about = [
            *(f"{name}: {server}" for name, server in self.targets.items() if server),
            f"moorage {self.moorage}, {self.date}, {machine}",
            f"medians of {self.repeat} rounds; ratio: first target divided by the other",
        ]
        return "\n".join([*aligned([head, *lines]), "", *notes, *about])


def _line(row: Row, names: Sequence[str]) -> list[str]:
    medians = {series.target: figure(series.median) for series in row.series}
    ratios = {name: f"{ratio:.2f}x" for name, ratio in row.ratios(names[0]).items()}
    spread = max((spread_of(series.values) for series in row.series), default=0.0)
    cost = row.series[0].client_microseconds_a_request if row.series else 0.0
    others = max((cores for series in row.series for cores in series.others_cores), default=0.0)
    figures = [medians.get(name, "-") for name in names]
    return [
        row.workload,
        row.unit,
        *figures,
        *(ratios.get(name, "-") for name in names[1:]),
        f"{spread:.0%}",
        figure(cost),
        f"{others:.1f}",
    ]


def spread_of(values: Sequence[float]) -> float:
    """The distance between the extremes, divided by the median."""
    middle = statistics.median(values)
    return (max(values) - min(values)) / middle if middle else 0.0


def figure(value: float) -> str:
    """A result in few digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table: the first two columns are words, the others are figures."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        words = [cell.ljust(width) for cell, width in zip(row[:2], widths[:2], strict=True)]
        figures = [cell.rjust(width) for cell, width in zip(row[2:], widths[2:], strict=True)]
        lines.append("  ".join([*words, *figures]))
    return lines


def version_and_date() -> tuple[str, str]:
    """The version of this program and the current time in UTC."""
    return __version__, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
