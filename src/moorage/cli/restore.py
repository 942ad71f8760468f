"""`moorage restore`: make a data folder of a backup."""

from __future__ import annotations

import asyncio
import sys
from contextlib import closing
from pathlib import Path

import click

from moorage.adapters.backup_folder import BackupFolder, BackupUnusable
from moorage.adapters.data_folder import DataFolder
from moorage.adapters.files.blob_store import FileBlobStore
from moorage.cli.exit_codes import answer_no
from moorage.cli.formatting import size_text
from moorage.cli.next_commands import command, failure
from moorage.cli.options import with_registry
from moorage.cli.recording import record
from moorage.config.settings import Settings
from moorage.core.migration.backup import BackupResult
from moorage.core.migration.restore import Restore
from moorage.domain.ports import StoreFull
from moorage.metadata.database import DatabaseUnusable
from moorage.metadata.engines.sqlite.copying import DatabaseCopy


@click.command()
@click.argument("source", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@with_registry
def restore(source: Path, settings: Settings) -> None:
    """Make the data folder of --data from DIR, a folder that moorage backup wrote.

    The data folder must be empty or not exist. Each layer is compared with its digest. The backup stays as it is. Run
    an interrupted command again: it continues. The exit code is 3 if a layer is damaged or missing in the backup.
    """
    if settings.database is not None or settings.blobs:
        raise click.UsageError("Only a data folder with its layers can be restored: see docs/operations.md, Restore.")
    backup, target = DataFolder(source), DataFolder(settings.data)
    if not backup.database.exists():
        raise failure(f"{source} is not a backup: it has no {backup.database.name}")
    if target.database.exists() or target.endpoint() is not None:
        raise failure(f"{settings.data} has a registry. Choose another folder with --data.")
    try:
        result = asyncio.run(_restore(backup, target))
        is_complete = _restore_secrets(backup, target, settings)
    except (BackupUnusable, DatabaseUnusable, StoreFull, OSError) as error:
        raise failure(f"The restore did not finish: {error}") from None
    record(settings, {"layers": result.blobs})
    for layer in result.damaged:
        click.echo(f"damaged layer {layer}")
    click.echo(f"Restored to {settings.data}: the database and {result.blobs} layers ({size_text(result.bytes)}).")
    if not is_complete:
        click.echo("The backup has no master key. Copy yours to master.key in this folder, or set MOORAGE_MASTER_KEY.")
    if result.damaged:
        click.echo(f"Run {command('verify')}: it marks the damaged layers, and pushing them again repairs them.")
        answer_no()


async def _restore(source: DataFolder, target: DataFolder) -> BackupResult:
    with closing(FileBlobStore(source.path)) as blobs, closing(BackupFolder(target.path)) as folder:
        await folder.prepare(await blobs.marker())
        is_hidden = not sys.stderr.isatty()
        length = sum([stored.size async for batch in blobs.objects() for stored in batch])
        with click.progressbar(length=max(length, 1), label="Copying", file=sys.stderr, hidden=is_hidden) as bar:
            copy = DatabaseCopy(source.database, folder.new_database)
            return await Restore(copy, blobs, folder).run(bar.update)


def _restore_secrets(source: DataFolder, target: DataFolder, settings: Settings) -> bool:
    """Copy the master key and the keys of TLS, if the backup has them; False if there is no master key."""
    if not source.has_master_key():
        return settings.given_master_key() is not None
    with closing(BackupFolder(target.path)) as folder:
        folder.add_secrets(source.master_key(), source.tls)
    return True
