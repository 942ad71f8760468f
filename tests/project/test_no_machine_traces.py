"""The project does not depend on the machine on which it was written, and does not reveal it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Assembled here, so that this file does not contain the texts that it searches for.
INDEX_HOSTS = "|".join(
    re.escape(".".join(parts))
    for parts in [
        ("pypi", "org"),
        ("files", "pythonhosted", "org"),
        ("registry", "npmjs", "org"),
        ("proxy", "golang", "org"),
        ("sum", "golang", "org"),
        ("static", "crates", "io"),
        ("deb", "debian", "org"),
        ("repo1", "maven", "org"),
    ]
)
TRACES = {
    "the address of a package index": re.compile(INDEX_HOSTS),
    "a path of one machine": re.compile(r"(?<![\w.~$}-])/(?:root|work|home/\w+|Users/\w+|tmp/lab)(?=[/\s\"'`]|$)"),
}


def tracked_files() -> list[Path]:
    """The files of the repository, and new ones that are not ignored. In a source archive, all files."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        return [path for path in ROOT.rglob("*") if path.is_file() and path.relative_to(ROOT).parts[0][0] != "."]
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def traces(pattern: re.Pattern[str], path: Path) -> list[str]:
    try:
        lines = path.read_text().splitlines()
    except UnicodeDecodeError:
        return []
    return [
        f"{path.relative_to(ROOT)}:{number}: {line}" for number, line in enumerate(lines, 1) if pattern.search(line)
    ]


@pytest.mark.parametrize("what", TRACES)
def test_no_file_of_the_project_contains(what: str) -> None:
    found = [trace for path in tracked_files() for trace in traces(TRACES[what], path)]

    assert found == []


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("cd " + "/ro" + "ot/project", True),
        ("'" + "/wo" + "rk'", True),
        ("PUT /v2/wo" + "rk/manifests/root", False),
        ("WORKDIR ~/wo" + "rk/x", False),
        ("the data folder's /wo" + "rk-like neighbour", False),
    ],
)
def test_a_path_of_one_machine_is_distinguished_from_other_paths(line: str, found: bool) -> None:
    assert bool(TRACES["a path of one machine"].search(line)) is found
