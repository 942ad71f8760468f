"""Bars: each workload has one for each registry, as long as its median in relation to the largest one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from moorage_bench.charts.svg import LINE, MARGIN, WIDTH, element, legend, page, series_class, text
from moorage_bench.report import Report, Row, figure

_LABELS: Final = 230
"""Pixels for the names of the workloads."""

_FIGURES: Final = 90
_BAR: Final = 14
_GAP: Final = 12


def comparison(title: str, report: Report, workloads: Sequence[str]) -> str:
    """The chart of these workloads, as SVG. Those that no registry was measured with are left out."""
    rows = [row for row in report.rows if row.workload in workloads and row.series]
    names = [name for name in report.targets if any(series.target == name for row in rows for series in row.series)]
    body, y = [legend(names, MARGIN + 2.2 * LINE)], MARGIN + 3.5 * LINE
    for row in rows:
        body.append(_row(row, names, y))
        y += max(_BAR * len(row.series), 2 * LINE) + _GAP
    return page(title, "".join(body), y, notes_of(report))


def notes_of(report: Report) -> list[str]:
    """What a figure depends on: the registries, the machine, the command."""
    machine = ", ".join(f"{name} {value}" for name, value in report.machine.items())
    versions = [f"{name}: {version}"[:130] for name, version in report.targets.items() if version]
    rounds = f"medians of {report.repeat} rounds; the lines show the lowest and the highest round"
    return [*versions, machine, f"{report.date}, {rounds}", report.command]


def _row(row: Row, names: Sequence[str], y: float) -> str:
    label = f"{row.unit}, fewer is better" if row.fewer else row.unit
    parts = [text(MARGIN, y + 11, row.workload), text(MARGIN, y + 10 + LINE, label, "faint")]
    largest = max(max(series.values) for series in row.series) or 1.0
    scale = (WIDTH - 2 * MARGIN - _LABELS - _FIGURES) / largest
    for place, series in enumerate(row.series):
        left, top = float(MARGIN + _LABELS), y + place * _BAR
        colour = series_class(names.index(series.target))
        length = max(series.median * scale, 1.0)
        low, high = min(series.values) * scale, max(series.values) * scale
        middle = top + (_BAR - 2) / 2
        parts += [
            element("rect", x=left, y=top, width=length, height=_BAR - 2, class_=colour),
            element("line", x1=left + low, x2=left + high, y1=middle, y2=middle, class_="grid"),
            text(left + max(length, high) + 6, top + 10, figure(series.median)),
        ]
    return "".join(parts)
