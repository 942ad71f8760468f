"""Run pytest; when a few tests fail, run each again alone, and fail only if one fails again.

.venv/bin/python -m tools.unsteady .venv/bin/pytest [ARGUMENT...]

A test that fails among all others and then passes alone is unsteady. One line for each goes to reports/unsteady.txt.
The exit code is that of pytest if it did not run all tests, if more than MOST failed, or if one failed again.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

MOST: Final = 3
"""How many tests may fail. More of them are no accident."""

TIMES: Final = 5
"""How often each of them must pass alone."""

REPORT: Final = Path("reports/unsteady.txt")
_LAST_FAILED = Path(".pytest_cache/v/cache/lastfailed")
_TESTS_FAILED = 1
"""pytest's exit code when it ran all tests, and some failed. Others are interruptions and errors at collection."""


def main(command: Sequence[str]) -> int:
    """Run the command, the first word of which is pytest, and return the exit code."""
    _LAST_FAILED.unlink(missing_ok=True)
    code = subprocess.run(command, check=False).returncode
    if code != _TESTS_FAILED or not _LAST_FAILED.exists():
        return code
    failed = sorted(json.loads(_LAST_FAILED.read_text("utf-8")))
    if not 0 < len(failed) <= MOST or not all(_passes_alone(command[0], test) for test in failed):
        return code
    _report(failed)
    return 0


def _passes_alone(pytest: str, test: str) -> bool:
    for number in range(1, TIMES + 1):
        print(f"\n== once more alone, {number} of {TIMES}: {test}", flush=True)
        if subprocess.run([pytest, test], check=False).returncode != 0:
            return False
    return True


def _report(tests: Iterable[str]) -> None:
    database = os.environ.get("MOORAGE_TEST_DATABASE", "sqlite")
    REPORT.parent.mkdir(exist_ok=True)
    with REPORT.open("a", encoding="utf-8") as report:
        report.writelines(f"{test} ({database})\n" for test in tests)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
