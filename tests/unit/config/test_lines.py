"""The lines of values in files, in all three formats."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from moorage.config.documents import BadDocument, read_with_lines


class Part(msgspec.Struct, forbid_unknown_fields=True):
    size: int = 0
    names: list[str] = []


class Whole(msgspec.Struct, forbid_unknown_fields=True):
    parts: dict[str, Part] = {}
    rows: list[Part] = []


YAML = """\
parts:
  first: {size: 1}
  "second part":
    size: 2
    names:
      - a
      - b
rows:
  - size: 3
  - names: [c]
"""
JSON = """{
  "parts": {
    "first": {"size": 1},
    "second part": {
      "size": 2, "names": ["a",
        "b"]
    }
  },
  "rows": [
    {"size": 3},
    {"names": ["c"]}
  ]
}
"""
TOML = """\
[parts]
first = {size = 1}

[parts."second part"]
size = 2
names = [
  "a", "b"]
[[rows]]
size = 3
[[rows]]
names = ["c"]
"""


@pytest.mark.parametrize(
    ("suffix", "text", "lines"),
    [("yaml", YAML, [2, 4, 7, 9, 10]), ("json", JSON, [3, 5, 6, 10, 11]), ("toml", TOML, [2, 5, 6, 9, 11])],
)
def test_each_value_has_its_line(tmp_path: Path, suffix: str, text: str, lines: list[int]) -> None:
    file = tmp_path / f"file.{suffix}"
    file.write_text(text)
    _, found = read_with_lines(Whole, file)

    second = ("parts", "second part")
    places = [("parts", "first"), (*second, "size"), (*second, "names", 1), ("rows", 0, "size"), ("rows", 1, "names")]

    assert [found.of(place) for place in places] == lines
    assert found.of(("parts", "first", "size", "deeper")) == lines[0]
    assert found.of(("nowhere",)) is None


@pytest.mark.parametrize(("suffix", "text", "line"), [("yaml", YAML, 4), ("json", JSON, 5), ("toml", TOML, 5)])
@pytest.mark.parametrize(("old", "new"), [("2", '"two"'), ("size", "length"), ("size", "Size")])
def test_a_mistake_is_reported_with_its_line(
    tmp_path: Path, suffix: str, text: str, line: int, old: str, new: str
) -> None:
    file = tmp_path / f"file.{suffix}"
    lines = text.splitlines()
    lines[line - 1] = lines[line - 1].replace(old, new, 1)
    file.write_text("\n".join(lines))

    with pytest.raises(BadDocument, match=rf"^line {line}: "):
        read_with_lines(Whole, file)
