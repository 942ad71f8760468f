"""CONTRIBUTING.md names every folder of tests and every target of the Makefile."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text("utf-8")


def folders_below(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_dir() and path.name != "__pycache__"}


def test_each_folder_of_tests_has_a_row_that_names_its_folders() -> None:
    rows = dict(re.findall(r"^\| `tests/(\w+)` \| (.*) \|$", TEXT, re.MULTILINE))

    assert set(rows) == folders_below(ROOT / "tests")
    for name, row in rows.items():
        missing = {folder for folder in folders_below(ROOT / "tests" / name) if f"`{folder}`" not in row}
        assert not missing, name


def test_each_target_of_make_is_described() -> None:
    targets = set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    described = set(re.findall(r"`make ([a-z]+)", TEXT))

    assert targets - described == {"help", "clean"}
