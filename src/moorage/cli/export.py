"""`moorage export`: write what is in the registry to files."""

from __future__ import annotations

from pathlib import Path

import click

from moorage.cli.next_commands import failure
from moorage.cli.options import with_registry
from moorage.cli.transactions import account_option, change
from moorage.config.documents import BadDocument
from moorage.config.settings import Settings
from moorage.core.declared.current import declaration_of
from moorage.declarations import files


@click.group()
def export() -> None:
    """Write what is in the registry to files."""


@export.command("settings")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@account_option
@with_registry
def export_settings(file: Path | None, account: str, settings: Settings) -> None:
    """Write repositories, registry settings, users, roles and policies as a file for moorage apply.

    FILE has a name that ends in .yaml, .yml or .json. Without FILE, the command prints YAML. Access keys and other
    secrets are not in the file, and neither are images.
    """
    if file is not None and file.suffix not in _SUFFIXES:
        raise click.UsageError(f"FILE must have a name that ends in {', '.join(_SUFFIXES)}.")
    declaration = change(settings, lambda tx: declaration_of(tx, account))
    is_json = file is not None and file.suffix == ".json"
    try:
        text = files.as_json(declaration) if is_json else files.as_yaml(declaration)
        if file is None:
            click.echo(text, nl=False)
        else:
            file.write_text(text)
    except (BadDocument, OSError) as error:
        raise failure(error) from None


_SUFFIXES = (".yaml", ".yml", ".json")
