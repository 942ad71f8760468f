"""`moorage migrate`: bring the database to the schema of this program."""

from __future__ import annotations

from pathlib import Path

import click

from moorage import app
from moorage.adapters.data_folder import DataFolder
from moorage.cli.options import config_option, data_option, settings_of
from moorage.domain.errors import Unavailable
from moorage.metadata.database import DatabaseUnusable


@click.command()
@data_option
@config_option
def migrate(data: Path | None, config: str | None) -> None:
    """Bring the database to the schema of this program, all at once or not at all.

    A server on a data folder does that when it starts. With --database it is done before the first node of a new
    version starts; nodes of the version before may go on meanwhile if the notes of the new version say so.
    """
    settings = settings_of({"data": data, "config": config})
    folder = DataFolder(settings.data)
    try:
        if settings.database is None:
            folder.prepare()
        before, after = app.engine_of(settings, folder).migrate()
    except (DatabaseUnusable, Unavailable) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"The database has schema {after}." if before == after else f"Schema {before} became schema {after}.")
