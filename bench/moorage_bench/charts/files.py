"""Write the charts of a report into a folder, with the report beside them, so that they can be drawn again."""

from __future__ import annotations

from pathlib import Path

from moorage_bench.charts.bars import comparison
from moorage_bench.report import Report
from moorage_bench.workloads.table import GROUPS


def write_charts(report: Report, folder: Path) -> list[Path]:
    """Write one chart for each group of workloads that was measured, and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    measured = {row.workload for row in report.rows if row.series}
    written = [folder / "comparison.json"]
    written[0].write_bytes(report.to_json())
    for group in GROUPS:
        names = [workload.name for workload in group.workloads]
        if measured & set(names):
            written.append(folder / f"{group.name}.svg")
            written[-1].write_text(comparison(group.title, report, names), encoding="utf-8")
    return written
