"""Write the charts of a report into a folder, with the report beside them, so that they can be drawn again."""

from __future__ import annotations

from pathlib import Path

from moorage_bench.charts.bars import comparison
from moorage_bench.charts.curves import growth
from moorage_bench.growth.report import GrowthReport
from moorage_bench.report import Report
from moorage_bench.workloads.table import GROUPS


def write_charts(report: Report | GrowthReport, folder: Path) -> list[Path]:
    """Write the report, and one chart of growth or one for each measured group of workloads. Return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    return _curves(report, folder) if isinstance(report, GrowthReport) else _bars(report, folder)


def _curves(report: GrowthReport, folder: Path) -> list[Path]:
    written = [folder / "growth.json", folder / "growth.svg"]
    written[0].write_bytes(report.to_json())
    written[1].write_text(growth(report), encoding="utf-8")
    return written


def _bars(report: Report, folder: Path) -> list[Path]:
    measured = {row.workload for row in report.rows if row.series}
    written = [folder / "comparison.json"]
    written[0].write_bytes(report.to_json())
    for group in GROUPS:
        names = [workload.name for workload in group.workloads]
        if measured & set(names):
            written.append(folder / f"{group.name}.svg")
            written[-1].write_text(comparison(group.title, report, names), encoding="utf-8")
    return written
