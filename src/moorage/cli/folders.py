"""The data folder of a command."""

from __future__ import annotations

import click

from moorage.adapters.data_folder import DataFolder
from moorage.config.settings import Settings


def existing_folder(settings: Settings) -> DataFolder:
    """The data folder of a command that needs one; with `database`, a server need not have created it."""
    folder = DataFolder(settings.data, settings.given_master_key())
    if settings.database is None and not folder.database.exists():
        raise click.ClickException(
            f"{folder.path} is not a data folder. Start a server there once (moorage serve --data {folder.path}),"
            " or name another folder with --data or MOORAGE_DATA."
        )
    return folder
