"""A run of tests is not lost by an unsteady test, and fails for every other reason."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from tools.unsteady import MOST, REPORT, TIMES, main

FAKE = """
import sys
from pathlib import Path

calls, codes = Path("calls"), {codes}
number = len(calls.read_text().splitlines()) if calls.exists() else 0
with calls.open("a") as file:
    print(*sys.argv[1:], file=file)
if number == 0 and codes[0] != 0:
    cache = Path(".pytest_cache/v/cache")
    cache.mkdir(parents=True, exist_ok=True)
    (cache / "lastfailed").write_text('{failed}')
sys.exit(codes[number])
"""
"""In the place of pytest: the first run leaves the failed tests, and each run ends with the next code."""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MOORAGE_TEST_DATABASE", raising=False)


def program(words: str) -> str:
    """A program that runs Python with these words before its own."""
    path = Path("pytest").resolve()
    path.write_text(f'#!/bin/sh\nexec env PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 {sys.executable} {words} "$@"\n')
    path.chmod(0o755)
    return str(path)


def run(codes: Sequence[int], *failed: str) -> int:
    Path("fake.py").write_text(FAKE.format(codes=list(codes), failed=json.dumps(dict.fromkeys(failed, True))))
    return main([program("fake.py"), "all"])


def calls() -> list[str]:
    return Path("calls").read_text().splitlines()


def test_tests_that_pass_alone_five_times_are_listed_and_the_run_passes() -> None:
    assert run([1] + [0] * 2 * TIMES, "test_a.py::test_a", "test_b.py::test_b[1 2]") == 0

    assert calls() == ["all", *["test_a.py::test_a"] * TIMES, *["test_b.py::test_b[1 2]"] * TIMES]
    assert REPORT.read_text() == "test_a.py::test_a (sqlite)\ntest_b.py::test_b[1 2] (sqlite)\n"


def test_the_list_names_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOORAGE_TEST_DATABASE", "postgresql")
    REPORT.parent.mkdir()
    REPORT.write_text("test_a.py::test_a (sqlite)\n")

    run([1] + [0] * TIMES, "test_a.py::test_a")

    assert REPORT.read_text() == "test_a.py::test_a (sqlite)\ntest_a.py::test_a (postgresql)\n"


def test_a_test_that_fails_once_more_fails_the_run() -> None:
    assert run([1] + [0] * (TIMES - 1) + [1], "test_a.py::test_a") == 1

    assert not REPORT.exists()


def test_a_run_in_which_all_tests_pass_runs_nothing_again() -> None:
    assert run([0]) == 0

    assert calls() == ["all"]
    assert not REPORT.exists()


def test_too_many_failures_fail_the_run_at_once() -> None:
    assert run([1], *(f"test_a.py::test_{number}" for number in range(MOST + 1))) == 1

    assert calls() == ["all"]


@pytest.mark.parametrize("code", [2, 3, 4, 5])
def test_a_run_that_ended_early_fails_at_once(code: int) -> None:
    """After an interruption, an error at collection, an error of pytest, a wrong argument, or without any test."""
    assert run([code], "test_a.py::test_a") == code

    assert calls() == ["all"]


def test_a_failure_without_a_failed_test_fails_the_run() -> None:
    assert run([1]) == 1

    assert calls() == ["all"]


def test_pytest_leaves_the_names_of_failed_tests_where_they_are_looked_for() -> None:
    Path("test_it.py").write_text("def test_it(): open('runs', 'a').write('.'); raise ValueError\n")

    assert main([program("-m pytest -q -c /dev/null --rootdir ."), "test_it.py"]) == 1

    assert Path("runs").read_text() == ".."
