"""Options that several commands share, and the ways commands fail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from moorage.adapters.data_folder import DataFolder
from moorage.config import Settings, SettingWrong, load

F = TypeVar("F", bound=Callable[..., Any])

data_option = click.option(
    "--data", type=click.Path(path_type=Path), help="Data folder  [default: $XDG_DATA_HOME/moorage]"
)
config_option = click.option("--config", metavar="FILE", help="TOML file with settings, named as the options are.")


def settings_of(arguments: dict[str, Any]) -> Settings:
    """Settings of a command line; a wrong one ends the command with its name."""
    try:
        return load(arguments)
    except SettingWrong as error:
        raise click.UsageError(str(error)) from None


def existing_folder(data: Path | None, config: str | None = None) -> DataFolder:
    """The data folder of a command that needs one which a server has made."""
    folder = DataFolder(settings_of({"data": data, "config": config}).data)
    if not folder.database.exists():
        raise click.ClickException(
            f"{folder.path} is no data folder: start a server there once (moorage serve --data {folder.path}),"
            " or name the right one with --data or MOORAGE_DATA"
        )
    return folder
