"""Programs that `.ci/run` builds with `go install`, and the versions that it builds."""

from __future__ import annotations

import re
from pathlib import Path

_CI = Path(__file__).parents[2] / ".ci" / "run"


def pinned_versions() -> dict[str, str]:
    """The version of each program that `.ci/run` builds, by the program's name."""
    return dict(re.findall(r"^    (?:\S+/)?([\w-]+)@(v[\w.]+)$", _CI.read_text(), re.MULTILINE))
