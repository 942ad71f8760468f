"""`moorage import`: images from other registries, and from files that an export wrote."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from moorage.adapters.image_folders.bundles import BundleFiles
from moorage.adapters.image_folders.distribution import DistributionFolder
from moorage.adapters.image_folders.layouts import LayoutSource, layouts_below
from moorage.cli.import_remote import import_ecr, import_registry
from moorage.cli.import_run import How, run_import, selecting
from moorage.cli.options import with_settings
from moorage.cli.transactions import account_option
from moorage.config.settings import Settings
from moorage.config.table import REGISTRY

F = TypeVar("F", bound=Callable[..., Any])


@click.group("import")
def import_group() -> None:
    """Bring images from other registries, and from files that moorage export wrote.

    The commands work with or without a running server. Each image comes whole or not at all. Run an interrupted command
    again: it continues. The exit code is 3 if the source does not have all of its images whole; they are listed.
    """


_folder = click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))


def _linking(command: F) -> F:
    """The options for sources whose layers are files."""
    command = click.option("--copy", is_flag=True, help="Copy layers also where they could be linked.")(command)
    return click.option("--unread", is_flag=True, help="Do not read layers that are linked: compare only their sizes.")(
        command
    )


@import_group.command("distribution")
@_folder
@selecting
@_linking
@account_option
@with_settings(REGISTRY, "import distribution")
def import_distribution(folder: Path, settings: Settings, **how: Any) -> None:
    """Bring all images of CNCF Distribution (registry:2), or of Harbor, from its storage folder DIR.

    DIR has a folder docker/registry/v2. If it is on the disk of the data folder, layers are linked and not copied. Stop
    the other registry first, or make it read-only.
    """
    run_import(lambda _: DistributionFolder(folder), settings, How(**how))


@import_group.command("images")
@click.argument("place", type=click.Path(path_type=Path, exists=True))
@click.option("--name", default="", metavar="NAME", help="The repository, if PLACE is a layout with plain tags.")
@selecting
@_linking
@account_option
@with_settings(REGISTRY, "import images")
def import_images(place: Path, name: str, settings: Settings, **how: Any) -> None:
    """Bring images from PLACE: what moorage export images wrote, or other OCI layouts.

    PLACE is a bundle (a tar file), a folder with an OCI layout, or a folder with many of them, such as the storage
    folder of zot: then a layout's path is the name of its repository.
    """
    run_import(lambda _: _layouts(place, name), settings, How(**how))


def _layouts(place: Path, name: str) -> LayoutSource:
    if not place.is_dir():
        return LayoutSource({name: BundleFiles(place)})
    found = layouts_below(place)
    return LayoutSource({name: found[""]} if "" in found else found)


import_group.add_command(import_registry)
import_group.add_command(import_ecr)
