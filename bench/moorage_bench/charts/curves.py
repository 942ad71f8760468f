"""Curves: a small picture for each row, with its figure at each size. What does not grow is a level line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from moorage_bench.charts.svg import LINE, MARGIN, WIDTH, element, page, series_class, text
from moorage_bench.growth.report import GrowthReport, GrowthRow, fine

_COLUMNS: Final = 4
_CELL: Final = (WIDTH - 2 * MARGIN) / _COLUMNS
_PLOT: Final = 70
"""Pixels of the height of a picture."""

_HEIGHT: Final = _PLOT + 5 * LINE
_SIDE: Final = 26
_LEAST: Final = 4.0
"""A picture's axis ends at this multiple of the smallest figure, or higher, so that noise does not look like growth."""


def growth(report: GrowthReport) -> str:
    """The chart of all rows, as SVG."""
    parts, top = [], MARGIN + 2 * LINE
    for number, row in enumerate(report.rows):
        left, line = MARGIN + number % _COLUMNS * _CELL, number // _COLUMNS
        parts.append(_picture(row, report.sizes, left, top + line * _HEIGHT))
    height = top + math.ceil(len(report.rows) / _COLUMNS) * _HEIGHT
    machine = ", ".join(f"{name} {value}" for name, value in report.machine.items())
    notes = [f"moorage {report.moorage}, {report.date}", machine, report.command]
    return page("From few images to many", "".join(parts), height, notes)


def _picture(row: GrowthRow, sizes: Sequence[int], left: float, top: float) -> str:
    highest = max(*row.values, _LEAST * min(row.values)) or 1.0
    base = top + 2 * LINE + _PLOT
    step = (_CELL - 2 * _SIDE) / max(len(sizes) - 1, 1)
    points = [(left + _SIDE + place * step, base - value / highest * _PLOT) for place, value in enumerate(row.values)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    marks = [
        element("circle", cx=x, cy=y, r=3, class_=series_class(0))
        + text(x, y - 7, fine(value), "faint", "middle")
        + text(x, base + LINE, _short(size), "faint", "middle")
        for (x, y), value, size in zip(points, row.values, sizes, strict=True)
    ]
    return "".join(
        [
            text(left, top + 12, f"{row.name}, {row.unit}"),
            element("line", x1=left, x2=left + _CELL - 12, y1=base, y2=base, class_="grid"),
            element("polyline", points=path, class_="grid"),
            *marks,
        ]
    )


def _short(size: int) -> str:
    power = round(math.log10(size), 1)
    return f"10^{power:.0f}" if power.is_integer() else f"{size:,}"
