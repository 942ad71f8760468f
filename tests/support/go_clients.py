"""Programs that `.ci/run` builds with `go install`, besides crane, and the versions that it builds."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from tests.support.clients import program_environment

REQUIRE_CONFORMANCE = "MOORAGE_REQUIRE_CONFORMANCE"
"""Set to 1 where the conformance program must be there. Apart from the clients': not every module proxy has it."""

CONFORMANCE = "oci-conformance"
"""The conformance program of the distribution specification: upstream calls it `conformance`, as others may."""

_CI = Path(__file__).parents[2] / ".ci" / "run"


def require_conformance(home: Path) -> str:
    """Path of the conformance program; without it the test is skipped, or fails where it is required."""
    found = shutil.which(CONFORMANCE, path=program_environment(home)["PATH"])
    if found is None:
        reason = f"{CONFORMANCE} is not installed"
        if os.environ.get(REQUIRE_CONFORMANCE) == "1":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return found


def pinned_versions() -> dict[str, str]:
    """The version of each program that `.ci/run` builds, by the program's name."""
    return dict(re.findall(r"^    (?:\S+/)?([\w-]+)@(v[\w.]+)$", _CI.read_text(), re.MULTILINE))
