"""`moorage import`: images from other registries, and from files that an export wrote."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

import click

from moorage import stores
from moorage.adapters.image_folders.bundles import BundleFiles
from moorage.adapters.image_folders.distribution import DistributionSource
from moorage.adapters.image_folders.layouts import LayoutSource, layouts_below
from moorage.adapters.image_folders.storage_folder import StorageFolder
from moorage.cli.import_remote import import_ecr, import_registry
from moorage.cli.import_run import How, run_import, selecting
from moorage.cli.options import with_settings
from moorage.cli.transactions import account_option
from moorage.config.settings import Settings
from moorage.config.table import REGISTRY
from moorage.domain.buckets import SCHEME, Bucket, BucketKey

F = TypeVar("F", bound=Callable[..., Any])


@click.group("import")
def import_group() -> None:
    """Bring images from other registries, and from files that moorage export wrote.

    The commands work with or without a running server. Each image comes whole or not at all. Run an interrupted command
    again: it continues. The exit code is 3 if the source does not have all of its images whole; they are listed.
    """


def _linking(command: F) -> F:
    """The options for sources whose layers the blob store can take over itself."""
    command = click.option(
        "--copy",
        is_flag=True,
        help="Bring the bytes of all layers, also where the blob store could take them over.",
    )(command)
    return click.option(
        "--unread", is_flag=True, help="Do not read layers that the blob store takes over: compare only their sizes."
    )(command)


@import_group.command("distribution")
@click.argument("place", metavar="STORAGE")
@selecting
@_linking
@account_option
@with_settings(REGISTRY, "import distribution")
def import_distribution(place: str, settings: Settings, **how: Any) -> None:
    """Bring all images of CNCF Distribution (registry:2), or of Harbor, from its storage.

    STORAGE is a folder, or a bucket s3://BUCKET/PREFIX?endpoint=URL&region=REGION, which has docker/registry/v2 in it.
    Layers on the disk of the data folder are linked and not copied. Layers in the object store of this registry are
    copied by that store. Stop the other registry first, or make it read-only.

    A bucket is read with the access key in MOORAGE_S3_ACCESS_KEY_ID and MOORAGE_S3_SECRET_ACCESS_KEY.
    """
    if not place.startswith(f"{SCHEME}://"):
        folder = StorageFolder(Path(place))
        run_import(lambda _: nullcontext(DistributionSource(folder)), settings, How(**how))
        return
    key = settings.bucket_key
    if not (key.id and key.secret):
        raise click.UsageError(
            "To read a bucket, set MOORAGE_S3_ACCESS_KEY_ID and MOORAGE_S3_SECRET_ACCESS_KEY to an access key."
        )
    try:
        bucket = Bucket.parse(place)
    except ValueError as error:
        raise click.UsageError(f"{error}.") from None
    run_import(lambda _: _in_bucket(bucket, key), settings, How(**how))


@asynccontextmanager
async def _in_bucket(bucket: Bucket, key: BucketKey) -> AsyncIterator[DistributionSource]:
    async with stores.storage_at(bucket, key) as files:
        yield DistributionSource(files)


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
    run_import(lambda _: nullcontext(_layouts(place, name)), settings, How(**how))


def _layouts(place: Path, name: str) -> LayoutSource:
    if not place.is_dir():
        return LayoutSource({name: BundleFiles(place)})
    found = layouts_below(place)
    return LayoutSource({name: found[""]} if "" in found else found)


import_group.add_command(import_registry)
import_group.add_command(import_ecr)
