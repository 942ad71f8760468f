"""`moorage backup`: copy the registry of a data folder to another folder, while the server runs."""

from __future__ import annotations

import asyncio
import sys
from contextlib import closing
from pathlib import Path
from typing import Final

import click

from moorage import stores
from moorage.adapters.backup_folder import BackupFolder, BackupUnusable
from moorage.adapters.data_folder import DataFolder, MasterKeyMissing
from moorage.adapters.files.blob_store import FileBlobStore
from moorage.cli.exit_codes import answer_no
from moorage.cli.folders import existing_folder
from moorage.cli.formatting import size_text
from moorage.cli.next_commands import command, failure
from moorage.cli.options import with_registry
from moorage.cli.recording import record
from moorage.config.settings import Settings
from moorage.core.migration.backup import Backup, BackupOptions, BackupResult
from moorage.core.own_store import ForeignStore
from moorage.core.pacing import RateLimit
from moorage.domain.errors import Unavailable
from moorage.domain.ports import StoreFull
from moorage.domain.units import MIB
from moorage.metadata.database import DatabaseUnusable
from moorage.metadata.engines.sqlite.copying import DatabaseCopy
from moorage.metadata.garbage import verification

_POSTGRESQL: Final = (
    "The metadata of this registry are in PostgreSQL. Back up the database with pg_dump or its archive of changes, and"
    " the layers afterwards: "
)
_BUCKET: Final = "keep versions or a replica of the bucket, for longer than the oldest backup of the database"
_FOLDER: Final = "copy the folder {folder} within the grace period"
_SEE: Final = ". See docs/operations.md, Backup."


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option("--hard-links", is_flag=True, help="Link layers instead of copying them; DIR must be on the same disk.")
@click.option("--read-back", is_flag=True, help="Also read layers that earlier backups copied, and compare them.")
@click.option("--with-secrets", is_flag=True, help="Also copy the master key, and the keys of the TLS authority.")
@click.option("--database-only", is_flag=True, help="Copy only the database, of a registry with layers in a bucket.")
@click.option(
    "--rate", type=click.FloatRange(min=0, min_open=True), metavar="MIB", help="Copy at most this many MiB per second."
)
@with_registry
def backup(
    folder: Path, rate: float | None, database_only: bool, with_secrets: bool, settings: Settings, **how: bool
) -> None:
    """Copy the registry of a data folder to DIR. It works with or without a running server.

    Run the command again with the same DIR to bring the backup up to date: it copies only what is new. DIR is complete
    at every moment, also if the command is interrupted. Each layer is compared with its digest while it is copied. To
    restore, copy DIR to a new place and start a server there. The exit code is 3 if a layer is damaged or missing.
    """
    source = existing_folder(settings)
    _require_shape(settings, database_only=database_only)
    if folder.resolve() in {settings.data.resolve(), settings.blob_folder.resolve()}:
        raise click.UsageError(f"{folder} is the registry itself: choose another folder.")
    options = BackupOptions(RateLimit(rate * MIB if rate else None), **how)
    try:
        key = source.master_key() if with_secrets else None
        with closing(BackupFolder(folder)) as target:
            result = asyncio.run(_back_up(settings, target, None if database_only else options))
            if key is not None:
                target.add_secrets(key, source.tls)
            has_secrets = target.has_secrets()
    except (BackupUnusable, DatabaseUnusable, ForeignStore, MasterKeyMissing, OSError, StoreFull, Unavailable) as error:
        raise failure(f"The backup did not finish: {error}") from None
    record(settings, {"layers": result.blobs, "layersAdded": result.added})
    _report(result, folder, has_secrets=has_secrets)


def _require_shape(settings: Settings, *, database_only: bool) -> None:
    """Refuse a registry that other programs back up, with what to do instead."""
    if settings.database is not None:
        layers = _BUCKET if settings.bucket is not None else _FOLDER.format(folder=settings.blob_folder)
        raise failure(f"{_POSTGRESQL}{layers}{_SEE}")
    if settings.bucket is not None and not database_only:
        raise failure(f"The layers of this registry are in a bucket. Use --database-only, and {_BUCKET}{_SEE}")
    if settings.bucket is None and database_only:
        raise click.UsageError("--database-only is for a registry with layers in a bucket.")


async def _back_up(settings: Settings, target: BackupFolder, options: BackupOptions | None) -> BackupResult:
    """Without options, back up only the database."""
    async with stores.opened(settings) as (database, blobs):
        await target.prepare(await blobs.marker())
        copy = DatabaseCopy(DataFolder(settings.data).database, target.new_database)
        if options is None or not isinstance(blobs, FileBlobStore):
            await asyncio.to_thread(copy.refresh)
            target.publish()
            return BackupResult()
        length = await database.read(lambda tx: verification.bytes_after(tx, 0))
        is_hidden = not sys.stderr.isatty()
        with click.progressbar(length=max(length, 1), label="Copying", file=sys.stderr, hidden=is_hidden) as bar:
            return await Backup(database, blobs, copy, target, options).run(bar.update)


def _report(result: BackupResult, folder: Path, *, has_secrets: bool) -> None:
    for layer in result.damaged:
        click.echo(f"damaged layer {layer}")
    click.echo(
        f"Backed up to {folder}: the database and {result.blobs} layers ({size_text(result.bytes)}), of which"
        f" {result.added} are new ({size_text(result.added_bytes)})."
    )
    if has_secrets:
        click.echo("The backup has the master key. Protect it as you protect the data folder.")
    else:
        click.echo("The backup does not have the master key. Keep a copy of it elsewhere; a restore needs it.")
    if result.damaged:
        click.echo(f"Run {command('verify')}: it marks the damaged layers, and pushing them again repairs them.")
        answer_no()
