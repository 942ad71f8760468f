"""How all `moorage import` commands run: open the registry, import, show the progress, and report."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar

import click

from moorage import app, stores
from moorage.adapters.data_folder import MasterKeyMissing
from moorage.adapters.remote_registry.at_first_use import RegistriesAtFirstUse
from moorage.cli.exit_codes import answer_no
from moorage.cli.folders import existing_folder
from moorage.cli.formatting import size_text
from moorage.cli.next_commands import failure
from moorage.cli.recording import record
from moorage.cli.reporting import reporting
from moorage.config.settings import Settings
from moorage.core.clock import system_clock
from moorage.core.identity import accounts, master_key
from moorage.core.identity.master_key import MasterKeyWrong
from moorage.core.own_store import ForeignStore
from moorage.core.registry.images import Images
from moorage.core.transfer.importing import Import, ImportCounts, ImportOptions, ImportParts
from moorage.core.transfer.storing import BlobImports
from moorage.core.vault import Vault
from moorage.domain.errors import Unavailable
from moorage.domain.identity.errors import AccountError
from moorage.domain.image_sources import ImageSource, SourceBroken
from moorage.domain.names import Registry
from moorage.domain.ports import StoreFull
from moorage.domain.registry.upload_ids import UploadIds
from moorage.domain.remote_registries import RemoteFailure, RemoteRegistries
from moorage.metadata.database import DatabaseUnusable

F = TypeVar("F", bound=Callable[..., Any])

OpenSource: TypeAlias = Callable[[RemoteRegistries], AbstractAsyncContextManager[ImageSource]]
"""Opens a source, which may be a registry on the network, and closes it after the import."""

_ERRORS: Final = (
    AccountError,
    DatabaseUnusable,
    ForeignStore,
    MasterKeyMissing,
    MasterKeyWrong,
    RemoteFailure,
    SourceBroken,
    StoreFull,
    Unavailable,
    ValueError,
    OSError,
)


def selecting(command: F) -> F:
    """The options that say which images come, and where to."""
    command = click.option("--prefix", default="", metavar="TEXT", help="Put this before each name, such as old/.")(
        command
    )
    return click.option(
        "--repository", "patterns", multiple=True, metavar="PATTERN", help="Only these repositories. May be repeated."
    )(command)


@dataclass(frozen=True, slots=True)
class How:
    """The options of an import."""

    account: str
    prefix: str
    patterns: tuple[str, ...]
    copy: bool = False
    unread: bool = False


def run_import(source: OpenSource, settings: Settings, how: How, problems: int = 0) -> None:
    """Import, report, and end the command. `problems` were listed before."""
    folder = existing_folder(settings)
    try:
        key = folder.master_key()
        engine = stores.engine_of(settings, folder)
        engine.transact(lambda tx: accounts.require_account(tx, how.account))
        engine.transact(lambda tx: master_key.confirm(tx, Vault(key)))
        counts, blobs = asyncio.run(_run(source, settings, Vault(key), how))
    except _ERRORS as error:
        raise failure(f"The import did not finish: {error}\nRun the command again to continue.") from None
    record(settings, {"images": counts.images, "broken": counts.broken})
    click.echo(
        f"Imported {counts.images} images of {counts.repositories} repositories; {counts.present} were here. Layers:"
        f" {blobs.transferred.linked} {blobs.done}, {blobs.transferred.copied} copied"
        f" ({size_text(blobs.transferred.copied_bytes)})."
    )
    if counts.broken:
        click.echo(f"{counts.broken} images or tags did not come: see above.")
    if counts.broken + problems:
        answer_no()


async def _run(open_source: OpenSource, settings: Settings, vault: Vault, how: How) -> tuple[ImportCounts, BlobImports]:
    limits = app.limits_of(settings)
    reactions = app.reactions_of(limits)
    remotes = RegistriesAtFirstUse(settings.registry_proxy)
    async with (
        stores.opened(settings) as (database, store),
        stores.links_of(settings, store) as links,
        open_source(remotes) as source,
    ):
        ids = UploadIds(vault.signer("upload"))
        blobs = BlobImports(database, store, None if how.copy else links, ids, system_clock, verify=not how.unread)
        parts = ImportParts(database, blobs, Images(limits, reactions), limits, reactions, system_clock)
        options = ImportOptions(Registry(how.account, settings.region), how.prefix, how.patterns)
        running = Import(parts, source, options, click.echo)
        try:
            async with reporting(lambda: _progress(running.counts, blobs)):
                return await running.run(), blobs
        finally:
            await remotes.close()


def _progress(counts: ImportCounts, blobs: BlobImports) -> str:
    return (
        f"{counts.images + counts.present} images of {counts.repositories} repositories,"
        f" {blobs.transferred.linked} layers {blobs.done}, {size_text(blobs.transferred.copied_bytes)} copied"
    )
