"""The data folder of a command."""

from __future__ import annotations

from moorage.adapters.data_folder import DataFolder
from moorage.cli.next_commands import failure
from moorage.config.settings import Settings


def existing_folder(settings: Settings) -> DataFolder:
    """The data folder of a command that needs one; with `database`, a server need not have created it."""
    folder = DataFolder(settings.data, settings.given_master_key())
    if settings.database is None and not folder.database.exists():
        raise failure(
            f"{folder.path} is not a data folder. Start a server there once (moorage serve --data {folder.path}),"
            " or name another folder with --data or MOORAGE_DATA. For a registry in PostgreSQL, use --database or"
            " MOORAGE_DATABASE."
        )
    return folder
