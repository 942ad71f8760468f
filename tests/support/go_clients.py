"""Go programs: those that `.ci/run` builds with `go install`, and those of `tests/support/go`."""

from __future__ import annotations

import hashlib
import re
import subprocess
import tempfile
from pathlib import Path

from tests.support.clients import require_client

_ROOT = Path(__file__).parents[2]
_CI = _ROOT / ".ci" / "run"
_SOURCES = Path(__file__).parent / "go"


def pinned_versions() -> dict[str, str]:
    """The version of each program that `.ci/run` builds, by the program's name."""
    return dict(re.findall(r"^    (?:\S+/)?([\w-]+)@(v[\w.]+)$", _CI.read_text(), re.MULTILINE))


def built_program(name: str) -> Path:
    """The program of this folder in `tests/support/go`, built once for each version of its source."""
    go, folder = require_client("go"), _SOURCES / name
    sources = b"".join(path.read_bytes() for path in sorted(folder.iterdir()))
    program = _ROOT / ".tools" / "go" / f"{name}-{hashlib.sha256(sources).hexdigest()[:12]}"
    if not program.exists():
        program.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=program.parent) as built:
            subprocess.run([go, "build", "-o", f"{built}/{name}", "."], cwd=folder, check=True)
            (Path(built) / name).replace(program)
    return program
