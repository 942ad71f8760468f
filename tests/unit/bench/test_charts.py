"""The charts: every figure is in them, and each bar is as long as its result."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from moorage_bench.charts.bars import comparison
from moorage_bench.charts.files import write_charts
from moorage_bench.report import Report, Row, Series
from moorage_bench.workloads.table import GROUPS

SVG = "{http://www.w3.org/2000/svg}"


def series(target: str, *values: float) -> Series:
    return Series(target, list(values), [1.0] * len(values), [100] * len(values), 12.5, [0.25] * len(values))


def report(*rows: Row) -> Report:
    targets = {"ours": "Moorage <1>", "theirs": ""}
    scale = {"seconds": 1.0}
    return Report("0.1", "2026-11-24", {"cores": 2}, targets, "moorage bench --start", 3, "chunked", scale, list(rows))


READ = Row("blob-head", "requests/s", [series("ours", 100.0, 300.0, 400.0), series("theirs", 50.0, 150.0, 100.0)], {})
FIRST = Row("first-byte", "ms", [series("ours", 5.0)], {"theirs": "is away"}, fewer=True)


def texts(root: ET.Element) -> list[str]:
    return [node.text or "" for node in root.iter(f"{SVG}text")]


def test_a_chart_has_the_figures_and_all_that_they_depend_on() -> None:
    root = ET.fromstring(comparison("Reads & more", report(READ, FIRST), ["blob-head", "first-byte"]))

    assert set(texts(root)) >= {"Reads & more", "blob-head", "300", "100", "5.0", "ms, fewer is better"}
    assert set(texts(root)) >= {"ours: Moorage <1>", "cores 2", "moorage bench --start"}


def test_bars_are_as_long_as_the_medians() -> None:
    root = ET.fromstring(comparison("Reads", report(READ), ["blob-head"]))

    bars = [node for node in root.iter(f"{SVG}rect") if float(node.attrib["height"]) == 12]
    lengths = {node.attrib["class"]: float(node.attrib["width"]) for node in bars}
    assert lengths["series-0"] == pytest.approx(3 * lengths["series-1"], abs=0.2)


def test_all_is_inside_the_picture() -> None:
    root = ET.fromstring(comparison("Reads", report(READ, FIRST), ["blob-head", "first-byte"]))

    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for node in root.iter():
        assert float(node.attrib.get("x", 0)) + float(node.attrib.get("width", 0)) <= width
        assert float(node.attrib.get("y", 0)) <= height


def test_a_registry_that_was_not_measured_is_not_in_the_legend() -> None:
    assert "theirs" not in texts(ET.fromstring(comparison("Bytes", report(FIRST), ["first-byte"])))


def test_each_measured_group_is_a_file_and_the_json_draws_it_again(tmp_path: Path) -> None:
    written = write_charts(report(READ, FIRST), tmp_path / "new")
    again = write_charts(Report.from_json(written[0].read_bytes()), tmp_path / "again")

    assert [path.name for path in written] == ["comparison.json", "layers.svg", "requests.svg"]
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in written]


def test_each_group_has_workloads_and_a_name_of_its_own() -> None:
    assert len({group.name for group in GROUPS}) == len(GROUPS)
    assert all(group.workloads and dataclasses.is_dataclass(group) for group in GROUPS)
