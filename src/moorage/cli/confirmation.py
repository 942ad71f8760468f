"""Questions at a terminal: the only place that asks, and the option `--yes` that confirms a change in advance."""

from __future__ import annotations

import sys

import click

from moorage.cli.next_commands import failure

yes_option = click.option("--yes", is_flag=True, help="Do not ask for confirmation.")


def secret_text(label: str) -> str:
    """Ask for a secret, which the terminal does not show."""
    text: str = click.prompt(label, hide_input=True)
    return text


def confirm(question: str, *, yes: bool) -> None:
    """Ask the question, unless `yes`. Without a yes, the command ends, and nothing was changed."""
    if yes:
        return
    try:
        is_confirmed = click.confirm(question)
    except click.Abort:
        if sys.stdin.isatty():  # Ctrl-C or Ctrl-D
            raise
        click.echo(err=True)
        raise failure(
            "Nothing was changed: the question has no answer, because standard input is not a terminal. To answer yes,"
            " add --yes."
        ) from None
    if not is_confirmed:
        raise failure("Nothing was changed.")
