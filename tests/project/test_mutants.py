"""The mutation check: its changes, and its list of mutants that survive."""

from __future__ import annotations

import tomllib
from pathlib import Path

from tools.mutants.__main__ import TOPICS, mutants_of
from tools.mutants.changes import changes_of

ROOT = Path(__file__).parents[2]


def test_every_surviving_mutant_of_the_list_exists_and_has_a_reason() -> None:
    listed = tomllib.loads((ROOT / "tools" / "mutants" / "surviving.toml").read_text())
    existing = {mutant.name for topic in TOPICS for mutant in mutants_of(topic)}

    assert set(listed) - existing == set()
    assert all(listed.values())


def test_each_change_differs_from_the_source_in_one_place() -> None:
    source = "def f(a: int | None, *, b: bool = False) -> int:\n    if a and a > 1:\n        g()\n    return a + 2\n"

    changes = [(change.before, change.after) for change in changes_of(source)]

    assert sorted(changes) == [
        ("1", "2"),
        ("2", "3"),
        ("False", "True"),
        ("a + 2", "a - 2"),
        ("a > 1", "a >= 1"),
        ("a and a > 1", "a or a > 1"),
        ("g()", "None"),
        ("return a + 2", "return None"),
    ]
