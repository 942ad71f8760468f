"""Messages that name a command of ours name all of it: a reader who gave --data or --database can copy it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from moorage.cli.main import main

SOURCE: Final = Path(__file__).parents[2] / "src" / "moorage"
BUILDER: Final = "cli/next_commands.py"
COMMANDS: Final = "|".join(main.list_commands(click.Context(main)))
NAMED: Final = re.compile(rf"(?<!`)(?<!python -m )\bmoorage (?:{COMMANDS})\b")

KNOWN: Final = {
    "cli/aws.py": "names --data itself, because the reader gave no folder, or a wrong one",
    "cli/folders.py": "likewise: names --data itself",
    "core/migration/migrate.py": "the other registry's command: `verify` where the source is",
    "metadata/engines/postgres/engine.py": "states what is running",
    "metadata/migration/records.py": "names the options of the migration, which the reader knows",
}
"""Modules with commands in other texts, and why these are complete."""


def texts(tree: ast.Module) -> Iterator[str]:
    """The text constants of a module, without its docstrings."""
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone:
            yield node.value


def modules() -> Iterator[tuple[str, str]]:
    for path in sorted(SOURCE.rglob("*.py")):
        yield path.relative_to(SOURCE).as_posix(), path.read_text("utf-8")


def test_commands_in_messages_are_built_or_in_backquotes_so_that_they_are_completed() -> None:
    found = {name for name, text in modules() if any(NAMED.search(each) for each in texts(ast.parse(text)))}

    assert found == KNOWN.keys()


def test_every_error_of_a_command_has_its_commands_completed() -> None:
    direct = {name for name, text in modules() if "ClickException(" in text}

    assert direct == {BUILDER}
