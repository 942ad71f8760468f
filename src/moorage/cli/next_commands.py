"""Commands that messages name. As printed, they reach the registry that the reader's own command named.

Messages below the command line do not know its options. They put commands in backquotes, and `for_this_registry`
completes them.
"""

from __future__ import annotations

import re
import shlex
from typing import Final

import click

from moorage.cli.options import repeated_options

_QUOTED: Final = re.compile(r"`moorage ([^`]+)`")


def command(*words: str) -> str:
    """A `moorage` command with those options of this command line that name the registry, as far as it takes them.

    What the environment or a file sets is not repeated, and neither is the password in an address.
    """
    return shlex.join(["moorage", *words, *_options_for(words)])


def for_this_registry(message: str) -> str:
    """The message with its commands completed."""
    return _QUOTED.sub(lambda found: f"`{command(*shlex.split(found[1]))}`", message)


def failure(message: object) -> click.ClickException:
    """The end of a command with an error message, whose commands are completed."""
    return click.ClickException(for_this_registry(str(message)))


def _options_for(words: tuple[str, ...]) -> list[str]:
    context = click.get_current_context(silent=True)
    return [] if context is None else repeated_options(_parameters_of(context, words))


def _parameters_of(context: click.Context, words: tuple[str, ...]) -> set[str | None]:
    """The names of the parameters of another command of this program."""
    found: click.Command | None = context.find_root().command
    for word in words:
        if not isinstance(found, click.Group):
            break
        found = found.get_command(context, word)
    return {parameter.name for parameter in found.params} if found is not None else set()
