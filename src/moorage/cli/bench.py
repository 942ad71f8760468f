"""`moorage bench`: the command of the separate package `moorage-bench`, or how to install it."""

from __future__ import annotations

import click

from moorage.cli.next_commands import failure

_HOW_TO_INSTALL = "The benchmark is not installed: run `pip install ./bench` or `make bench` in a checkout of Moorage."


@click.command("bench", add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def _missing(arguments: tuple[str, ...]) -> None:  # noqa: ARG001 - all arguments lead to the same message
    """Measure this registry and others (not installed)."""
    raise failure(_HOW_TO_INSTALL)


bench: click.Command
try:
    from moorage_bench import command
except ModuleNotFoundError as error:
    if error.name != "moorage_bench":
        raise
    bench = _missing
else:
    bench = command.bench
