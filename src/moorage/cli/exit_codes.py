"""Exit codes that all commands share. docs/commands.md has the table, which is generated from here.

click exits with 1 for a `ClickException` and with 2 for a `UsageError`; `main.py` makes one of an `InvalidSetting`.
"""

from __future__ import annotations

from typing import Final, NoReturn

import click

MEANINGS: Final = {
    0: "The command did its work.",
    1: "The command failed, was interrupted, or was not confirmed. The message says why.",
    2: "An option, an argument or a setting is invalid. The command did nothing.",
    3: "The command did its work, and the answer is no.",
}

ANSWERS_NO: Final = {
    "backup": "A layer is damaged or missing. The backup has everything else.",
    "explain": "The action is denied.",
    "export images": "An image is damaged or archived. The others were written.",
    "import distribution": "The storage does not have all of its images whole. The others came.",
    "import ecr": "Some settings or images did not come. All others came.",
    "import registry": "The registry does not have all of its images whole. The others came.",
    "import images": "A layout or bundle does not have all of its images whole. The others came.",
    "restore": "A layer is damaged or missing in the backup. Everything else is restored.",
    "scanner status": "The scanner cannot scan.",
    "verify": "Something is damaged or missing, and was not repaired.",
    "why": "The registry has nothing with this digest.",
}
"""The commands that answer a question, some of them with their main work, and what no means."""

_NO: Final = 3


def hand_on(code: int) -> NoReturn:
    """End `moorage run` with the exit code of the command that it ran."""
    click.get_current_context().exit(code)


def help_text() -> str:
    """The table for `moorage --help`. click keeps the lines of a paragraph that starts with its marker."""
    return "\n".join(["\b", "Exit codes:", *(f"  {code}  {meaning}" for code, meaning in MEANINGS.items())])


def answer_no() -> NoReturn:
    """End a command of `ANSWERS_NO`, so that scripts can tell its answer from a failure."""
    context = click.get_current_context()
    words = context.command_path.partition(" ")[2]
    if words not in ANSWERS_NO:
        raise AssertionError(f"{words} answers no question")
    context.exit(_NO)
