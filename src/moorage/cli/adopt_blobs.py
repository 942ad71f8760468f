"""`moorage adopt-blobs`: make a blob store the registry's own, after its bytes were moved or restored by hand."""

from __future__ import annotations

import asyncio

import click

from moorage import stores
from moorage.adapters.data_folder import FolderInUse
from moorage.cli.folders import existing_folder
from moorage.cli.next_commands import command, failure
from moorage.cli.options import with_registry
from moorage.cli.recording import record
from moorage.config.settings import Settings
from moorage.core.own_store import ForeignStore
from moorage.domain.errors import Unavailable
from moorage.domain.ports import StoreFull
from moorage.metadata.database import DatabaseUnusable


@click.command("adopt-blobs")
@click.option("--without-layers", is_flag=True, help="Adopt the store even if it has none of the layers.")
@with_registry
def adopt_blobs(without_layers: bool, settings: Settings) -> None:
    """Make the blob store of --blobs, or the data folder, this registry's own.

    Use it after you moved or restored layers by other means than moorage migrate. Stop the servers first. Afterwards,
    run moorage verify.
    """
    folder = existing_folder(settings)
    try:
        folder.lock()
        asyncio.run(_adopt(settings, without_layers=without_layers))
    except (DatabaseUnusable, FolderInUse, ForeignStore, StoreFull, OSError, Unavailable) as error:
        raise failure(error) from None
    finally:
        folder.unlock()
    record(settings, {"place": settings.blob_place})
    click.echo(f"The layers of this registry are now in {settings.blob_place}. Run {command('verify')} to check them.")


async def _adopt(settings: Settings, *, without_layers: bool) -> None:
    async with stores.opened_unconfirmed(settings) as (database, store):
        await stores.own_store(settings, database, store).adopt(without_layers=without_layers)
