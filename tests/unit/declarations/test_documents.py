"""The example of docs/declarations.md applies."""

from __future__ import annotations

import re
from pathlib import Path

from tests.unit.declarations.folder import Folder

PAGE = Path(__file__).parents[3] / "docs" / "declarations.md"


def test_the_example_of_the_page_applies_and_is_exported(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    folder = Folder(tmp_path / "data")

    assert folder.apply(example).exit_code == 0

    exported = folder.moorage("export", "settings").stdout
    assert folder.plan(exported) == ["No changes: everything matches the file."]
    assert "IMMUTABLE_WITH_EXCLUSION" in exported
