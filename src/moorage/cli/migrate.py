"""`moorage migrate`: update the database schema, or move the registry to another place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from moorage import failpoints, stores
from moorage.adapters.data_folder import DataFolder
from moorage.cli import migrate_registry as moving
from moorage.cli.next_commands import failure
from moorage.cli.options import settings_of, settings_options
from moorage.cli.recording import record
from moorage.config.settings import Settings
from moorage.config.table import REGISTRY
from moorage.domain.errors import Unavailable
from moorage.metadata.database import DatabaseUnusable

_place = click.Path(path_type=Path)


@click.command()
@click.option("--from", "source", type=_place, metavar="PLACE", help="The registry to move.")
@click.option("--to", "target", type=_place, metavar="PLACE", help="Where to move it. There must be no registry yet.")
@click.option("--copy-blobs-only", is_flag=True, help="Copy layers, and stop before the source rejects any change.")
@click.option(
    "--rate", type=click.FloatRange(min=0, min_open=True), metavar="MIB", help="Copy at most this many MiB per second."
)
@click.option("--abandon", is_flag=True, help="Cancel the migration. The source accepts changes again.")
@settings_options(REGISTRY)
def migrate(source: Path | None, target: Path | None, rate: float | None, **options: Any) -> None:
    """Update the database to the schema of this program, in one transaction.

    A server with a data folder does this when it starts. With --database, run this command before you start the first
    node of a new version. Nodes of the previous version can keep running if the release notes say so.

    With --from and --to, move a registry to another place while it serves. Each PLACE is a data folder, or the
    configuration file (.toml) of its servers. The source rejects changes during the last step, and after it. If the
    command is interrupted, run it again: it continues.
    """
    blobs_only, abandon = options["copy_blobs_only"], options["abandon"]
    if (source is None) != (target is None):
        raise click.UsageError("--from and --to must be used together.")
    if source is None or target is None:
        if rate is not None or blobs_only or abandon:
            raise click.UsageError("--copy-blobs-only, --rate and --abandon need --from and --to.")
        _update_schema(settings_of(options))
    elif abandon:
        moving.abandon(moving.Route(source, target))
    else:
        moving.move(moving.Route(source, target), rate, blobs_only=blobs_only)


def _update_schema(settings: Settings) -> None:
    failpoints.arm(settings.failpoints)
    folder = DataFolder(settings.data)
    try:
        if settings.database is None:
            folder.prepare()
        before, after = stores.engine_of(settings, folder).migrate()
    except (DatabaseUnusable, OSError, Unavailable) as error:
        raise failure(error) from None
    if before != after:
        record(settings, {"schema": after})
    unchanged = f"The database schema is up to date (version {after})."
    click.echo(unchanged if before == after else f"Updated the database schema from version {before} to {after}.")
