"""`moorage export`: write what is in the registry to files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import click

from moorage import stores
from moorage.adapters.image_folders.bundles import BundleWriter, earlier_digests
from moorage.adapters.image_folders.layout_writer import LayoutWriter
from moorage.cli.exit_codes import answer_no
from moorage.cli.folders import existing_folder
from moorage.cli.formatting import size_text
from moorage.cli.next_commands import failure
from moorage.cli.options import with_registry, with_settings
from moorage.cli.reporting import reporting
from moorage.cli.transactions import account_option, change
from moorage.config.documents import BadDocument
from moorage.config.settings import Settings
from moorage.config.table import REGISTRY
from moorage.core.declared.current import declaration_of
from moorage.core.own_store import ForeignStore
from moorage.core.transfer.exporting import Export, ExportCounts, Selection
from moorage.declarations import files
from moorage.domain.errors import Refusal
from moorage.domain.image_sources import ImageTarget, SourceBroken
from moorage.domain.names import Registry
from moorage.metadata.database import DatabaseUnusable


@click.group()
def export() -> None:
    """Write what is in the registry to files."""


@export.command("settings")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@account_option
@with_registry
def export_settings(file: Path | None, account: str, settings: Settings) -> None:
    """Write repositories, registry settings, users, roles and policies as a file for moorage apply.

    FILE has a name that ends in .yaml, .yml or .json. Without FILE, the command prints YAML. Access keys and other
    secrets are not in the file, and neither are images.
    """
    if file is not None and file.suffix not in _SUFFIXES:
        raise click.UsageError(f"FILE must have a name that ends in {', '.join(_SUFFIXES)}.")
    declaration = change(settings, lambda tx: declaration_of(tx, account))
    is_json = file is not None and file.suffix == ".json"
    try:
        text = files.as_json(declaration) if is_json else files.as_yaml(declaration)
        if file is None:
            click.echo(text, nl=False)
        else:
            file.write_text(text)
    except (BadDocument, OSError) as error:
        raise failure(error) from None


_SUFFIXES = (".yaml", ".yml", ".json")


@export.command("images")
@click.argument("selected", metavar="IMAGE...", nargs=-1, required=True)
@click.argument("place", metavar="PLACE", type=click.Path(path_type=Path))
@click.option(
    "--since",
    multiple=True,
    metavar="BUNDLE",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Leave out layers that this earlier bundle has. May be repeated.",
)
@account_option
@with_settings(REGISTRY, "export images")
def export_images(
    selected: tuple[str, ...], place: Path, since: tuple[Path, ...], account: str, settings: Settings
) -> None:
    """Write images to PLACE: to a bundle if it ends in .tar, else to a folder, as an OCI layout.

    IMAGE is REPOSITORY, REPOSITORY:TAG or REPOSITORY@DIGEST; a * in a repository stands for any text. Signatures and
    other referrers go with their images. Run an interrupted command again: it continues. moorage import images reads
    what this command writes.
    """
    if since and place.suffix != ".tar":
        raise click.UsageError("--since is for bundles: PLACE must end in .tar.")
    existing_folder(settings)
    registry = Registry(account, settings.region)
    selections = [Selection.parse(text) for text in selected]
    try:
        counts = asyncio.run(_export(settings, registry, selections, partial(_target, place, since)))
    except (DatabaseUnusable, ForeignStore, Refusal, SourceBroken, OSError) as error:
        raise failure(f"The export did not finish: {error}") from None
    click.echo(f"Exported {counts.images} images to {place}: {counts.blobs} blobs ({size_text(counts.bytes)}) are new.")
    if counts.broken:
        click.echo(f"{counts.broken} images were left out: see above.")
        answer_no()


def _target(place: Path, since: tuple[Path, ...]) -> ImageTarget:
    """Raises SourceBroken, OSError."""
    return BundleWriter(place, earlier_digests(since)) if place.suffix == ".tar" else LayoutWriter(place)


async def _export(
    settings: Settings, registry: Registry, selections: Sequence[Selection], target_of: Callable[[], ImageTarget]
) -> ExportCounts:
    async with stores.opened(settings) as (database, store):
        with closing(target_of()) as target:
            running = Export(database, store, target, registry, click.echo)
            async with reporting(lambda: f"{running.counts.images} images, {size_text(running.counts.bytes)}"):
                return await running.run(selections)
