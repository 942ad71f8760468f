"""`moorage migrate`: bring the database to the schema of this program, or move the registry to another place."""

from __future__ import annotations

from pathlib import Path

import click

from moorage import failpoints, stores
from moorage.adapters.data_folder import DataFolder
from moorage.cli import migrate_registry as moving
from moorage.cli.options import config_option, data_option, settings_of
from moorage.domain.errors import Unavailable
from moorage.metadata.database import DatabaseUnusable

_place = click.Path(path_type=Path)


@click.command()
@click.option("--from", "source", type=_place, metavar="PLACE", help="The registry that moves.")
@click.option("--to", "target", type=_place, metavar="PLACE", help="Where it moves to: where none is yet.")
@click.option("--copy-blobs-only", is_flag=True, help="Copy layers and stop before anything is refused.")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), metavar="MIB", help="Copy so many MiB a second.")
@click.option("--abandon", is_flag=True, help="Give the move up; the source accepts changes again.")
@data_option
@config_option
def migrate(
    source: Path | None, target: Path | None, data: Path | None, config: str | None, rate: float | None, **flags: bool
) -> None:
    """Bring the database to the schema of this program, all at once or not at all.

    A server on a data folder does that when it starts. With --database it is done before the first node of a new
    version starts; nodes of the version before may go on meanwhile if the notes of the new version say so.

    With --from and --to a registry moves to another place, while it serves: each PLACE is a data folder, or a
    configuration file of its servers (.toml). Changes are refused during the last step only; then the source accepts
    none any more. A command that was interrupted goes on when it is given again.
    """
    if (source is None) != (target is None):
        raise click.UsageError("--from and --to go together")
    if source is None or target is None:
        if rate is not None or any(flags.values()):
            raise click.UsageError("--copy-blobs-only, --rate and --abandon need --from and --to")
        _bring_up_to_date(data, config)
    elif flags["abandon"]:
        moving.abandon(moving.Way(source, target))
    else:
        moving.move(moving.Way(source, target), rate, blobs_only=flags["copy_blobs_only"])


def _bring_up_to_date(data: Path | None, config: str | None) -> None:
    settings = settings_of({"data": data, "config": config})
    failpoints.arm(settings.failpoints)
    folder = DataFolder(settings.data)
    try:
        if settings.database is None:
            folder.prepare()
        before, after = stores.engine_of(settings, folder).migrate()
    except (DatabaseUnusable, Unavailable) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"The database has schema {after}." if before == after else f"Schema {before} became schema {after}.")
