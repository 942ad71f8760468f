"""Two builds of the console have the same bytes, wherever they are made."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from tests.support.clients import program_environment, require_client, run, unavailable

CONSOLE = Path(__file__).parents[3] / "console"


def built(folder: Path) -> dict[str, str]:
    """The digest of each file of a build of the sources, by name."""
    packages = CONSOLE / "node_modules"
    if not packages.exists():
        unavailable("the packages of the console are not installed: run `make console`")
    target = folder / "src" / "moorage" / "console" / "static"
    target.parent.mkdir(parents=True)
    shutil.copytree(CONSOLE, folder / "console", ignore=shutil.ignore_patterns("node_modules"))
    (folder / "console" / "node_modules").symlink_to(packages)
    command = [require_client("npm"), "--prefix", str(folder / "console"), "run", "bundle"]
    run(command, program_environment(folder, {}), timeout=280)
    files = [path for path in target.rglob("*") if path.is_file()]
    return {str(path.relative_to(target)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.client
@pytest.mark.timeout(600)
def test_two_builds_have_the_same_bytes(tmp_path: Path) -> None:
    first, second = built(tmp_path / "one"), built(tmp_path / "another" / "folder")

    assert "index.html.gz" in first
    assert first == second
