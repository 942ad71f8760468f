"""The arithmetic of the report."""

from __future__ import annotations

import msgspec
import pytest

from moorage_bench.report import Report, Row, Series, spread_of


def series(target: str, *values: float) -> Series:
    return Series(target, list(values), [1.0] * len(values), [100] * len(values), 12.5, [0.25, 0.5])


def report(*rows: Row) -> Report:
    targets = {"ours:1": "Moorage", "theirs:2": ""}
    return Report(
        "0.1",
        "2026-11-24T00:00:00Z",
        {"cores": 2},
        targets,
        "moorage bench",
        3,
        "chunked",
        {"seconds": 1.0},
        list(rows),
    )


READ = Row("blob-head", "requests/s", [series("ours:1", 100, 4000, 300), series("theirs:2", 50, 150, 100)], {})
ALONE = Row("ecr-initiate", "requests/s", [series("ours:1", 10.0)], {"theirs:2": "has no access key"})
NOBODY = Row("memory-16", "MiB peak", [], {"ours:1": "is away", "theirs:2": "is away"})


def test_a_ratio_compares_the_medians_of_the_first_target_and_the_other() -> None:
    assert READ.ratios("ours:1") == {"theirs:2": 3.0}


def test_a_target_that_was_not_measured_has_no_ratio() -> None:
    assert ALONE.ratios("ours:1") == {}
    assert ALONE.ratios("theirs:2") == {}
    assert NOBODY.ratios("ours:1") == {}


def test_the_spread_is_the_range_divided_by_the_median() -> None:
    assert spread_of([90, 100, 130]) == pytest.approx(0.4)
    assert spread_of([0.0, 0.0]) == 0.0


def test_the_table_has_medians_ratios_and_the_reasons_for_missing_values() -> None:
    lines = report(READ, ALONE, NOBODY).to_table().splitlines()

    assert lines[0].split()[:4] == ["workload", "unit", "ours:1", "theirs:2"]
    assert lines[1].split() == ["blob-head", "requests/s", "300", "100", "3.00x", "1300%", "12.5", "0.5"]
    assert lines[2].split() == ["ecr-initiate", "requests/s", "10.0", "-", "-", "0%", "12.5", "0.5"]
    assert "theirs:2 has no access key; not measured: ecr-initiate" in lines
    assert len({len(line) for line in lines[:3]}) == 1


def test_the_json_has_every_value_with_medians_and_ratios() -> None:
    document = msgspec.json.decode(report(READ, ALONE).to_json())

    first = document["rows"][0]
    assert first["ratios"] == {"theirs:2": 3.0}
    assert [(row["values"], row["median"]) for row in first["series"]] == [
        ([100, 4000, 300], 300),
        ([50, 150, 100], 100),
    ]
    assert document["rows"][1]["skipped"] == {"theirs:2": "has no access key"}
