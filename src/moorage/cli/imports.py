"""`moorage import`: images from other registries, and from files that an export wrote."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from moorage import app, stores
from moorage.adapters.data_folder import MasterKeyMissing
from moorage.adapters.files.blob_store import FileBlobStore
from moorage.adapters.files.linking import FileLinks
from moorage.adapters.image_folders.bundles import BundleFiles
from moorage.adapters.image_folders.distribution import DistributionFolder
from moorage.adapters.image_folders.layouts import LayoutSource, layouts_below
from moorage.cli.exit_codes import answer_no
from moorage.cli.folders import existing_folder
from moorage.cli.formatting import size_text
from moorage.cli.next_commands import failure
from moorage.cli.options import with_settings
from moorage.cli.recording import record
from moorage.cli.reporting import reporting
from moorage.cli.transactions import account_option
from moorage.config.settings import Settings
from moorage.config.table import REGISTRY
from moorage.core.clock import system_clock
from moorage.core.identity import accounts, master_key
from moorage.core.identity.master_key import MasterKeyWrong
from moorage.core.own_store import ForeignStore
from moorage.core.registry.images import Images
from moorage.core.transfer.importing import Import, ImportCounts, ImportOptions, ImportParts
from moorage.core.transfer.storing import BlobImports, Transferred
from moorage.core.vault import Vault
from moorage.domain.errors import Unavailable
from moorage.domain.identity.errors import AccountError
from moorage.domain.image_sources import ImageSource, SourceBroken
from moorage.domain.names import Registry
from moorage.domain.ports import StoreFull
from moorage.domain.registry.upload_ids import UploadIds
from moorage.metadata.database import DatabaseUnusable

F = TypeVar("F", bound=Callable[..., Any])

_ERRORS: Final = (
    AccountError,
    DatabaseUnusable,
    ForeignStore,
    MasterKeyMissing,
    MasterKeyWrong,
    SourceBroken,
    StoreFull,
    Unavailable,
    OSError,
)


@click.group("import")
def import_group() -> None:
    """Bring images from other registries, and from files that moorage export wrote.

    The commands work with or without a running server. Each image comes whole or not at all. Run an interrupted command
    again: it continues. The exit code is 3 if the source does not have all of its images whole; they are listed.
    """


_folder = click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))


def _selecting(command: F) -> F:
    """The options that say which images come, and where to."""
    command = click.option("--prefix", default="", metavar="TEXT", help="Put this before each name, such as old/.")(
        command
    )
    return click.option(
        "--repository", "patterns", multiple=True, metavar="PATTERN", help="Only these repositories. May be repeated."
    )(command)


def _linking(command: F) -> F:
    """The options for sources whose layers are files."""
    command = click.option("--copy", is_flag=True, help="Copy layers also where they could be linked.")(command)
    return click.option("--unread", is_flag=True, help="Do not read layers that are linked: compare only their sizes.")(
        command
    )


@import_group.command("distribution")
@_folder
@_selecting
@_linking
@account_option
@with_settings(REGISTRY, "import distribution")
def import_distribution(folder: Path, settings: Settings, **how: Any) -> None:
    """Bring all images of CNCF Distribution (registry:2), or of Harbor, from its storage folder DIR.

    DIR has a folder docker/registry/v2. If it is on the disk of the data folder, layers are linked and not copied. Stop
    the other registry first, or make it read-only.
    """
    _import(lambda: DistributionFolder(folder), settings, _How(**how))


@import_group.command("images")
@click.argument("place", type=click.Path(path_type=Path, exists=True))
@click.option("--name", default="", metavar="NAME", help="The repository, if PLACE is a layout with plain tags.")
@_selecting
@_linking
@account_option
@with_settings(REGISTRY, "import images")
def import_images(place: Path, name: str, settings: Settings, **how: Any) -> None:
    """Bring images from PLACE: what moorage export images wrote, or other OCI layouts.

    PLACE is a bundle (a tar file), a folder with an OCI layout, or a folder with many of them, such as the storage
    folder of zot: then a layout's path is the name of its repository.
    """
    _import(lambda: _layouts(place, name), settings, _How(**how))


def _layouts(place: Path, name: str) -> LayoutSource:
    if not place.is_dir():
        return LayoutSource({name: BundleFiles(place)})
    found = layouts_below(place)
    return LayoutSource({name: found[""]} if "" in found else found)


@dataclass(frozen=True, slots=True)
class _How:
    """The options of an import."""

    account: str
    prefix: str
    patterns: tuple[str, ...]
    copy: bool = False
    unread: bool = False


def _import(source: Callable[[], ImageSource], settings: Settings, how: _How) -> None:
    """Import, report, and end the command."""
    folder = existing_folder(settings)
    try:
        key = folder.master_key()
        engine = stores.engine_of(settings, folder)
        engine.transact(lambda tx: accounts.require_account(tx, how.account))
        engine.transact(lambda tx: master_key.confirm(tx, Vault(key)))
        counts, transferred = asyncio.run(_run(source(), settings, Vault(key), how))
    except _ERRORS as error:
        raise failure(f"The import did not finish: {error}\nRun the command again to continue.") from None
    record(settings, {"images": counts.images, "broken": counts.broken})
    click.echo(
        f"Imported {counts.images} images of {counts.repositories} repositories; {counts.present} were here. Layers:"
        f" {transferred.linked} linked, {transferred.copied} copied ({size_text(transferred.copied_bytes)})."
    )
    if counts.broken:
        click.echo(f"{counts.broken} images or tags did not come: see above.")
        answer_no()


async def _run(source: ImageSource, settings: Settings, vault: Vault, how: _How) -> tuple[ImportCounts, Transferred]:
    limits = app.limits_of(settings)
    reactions = app.reactions_of(limits)
    async with stores.opened(settings) as (database, store):
        links = FileLinks(settings.blob_folder) if isinstance(store, FileBlobStore) and not how.copy else None
        ids = UploadIds(vault.signer("upload"))
        blobs = BlobImports(database, store, links, ids, system_clock, verify=not how.unread)
        parts = ImportParts(database, blobs, Images(limits, reactions), limits, reactions, system_clock)
        options = ImportOptions(Registry(how.account, settings.region), how.prefix, how.patterns)
        running = Import(parts, source, options, click.echo)
        async with reporting(lambda: _progress(running.counts, blobs.transferred)):
            return await running.run(), blobs.transferred


def _progress(counts: ImportCounts, transferred: Transferred) -> str:
    return (
        f"{counts.images + counts.present} images of {counts.repositories} repositories, {transferred.linked} layers"
        f" linked, {size_text(transferred.copied_bytes)} copied"
    )
