"""Print each failure when it happens. pytest prints the whole traceback when all tests have run."""

from __future__ import annotations

import re

import pytest

_TELLING_LINE = re.compile(r"[>E] |\S+:\d+: ")
"""In pytest's traceback: the line of code that failed, the error, and the place of either."""


class ImmediateFailures:
    """A pytest plugin for the process that writes to the terminal."""

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self._terminal = terminal

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._terminal.write_line("")
            self._terminal.write_sep("_", f"{report.nodeid} ({report.when})", red=True)
            self._terminal.write_line(short_traceback(report.longreprtext))


def short_traceback(text: str) -> str:
    """The lines that say what failed and where; the whole text if it has no such lines."""
    return "\n".join(line for line in text.splitlines() if _TELLING_LINE.match(line)) or text
