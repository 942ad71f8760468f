"""`moorage sbom`: print the bill of materials that a scan of an image has stored."""

from __future__ import annotations

import asyncio
from functools import partial

import click

from moorage import stores
from moorage.cli.folders import existing_folder
from moorage.cli.next_commands import failure
from moorage.cli.options import with_settings
from moorage.cli.transactions import account_option
from moorage.config.settings import Settings
from moorage.config.table import REGISTRY
from moorage.core.own_store import ForeignStore
from moorage.core.registry import image_ids, repositories
from moorage.core.registry.image_ids import ImageId
from moorage.core.scanning import boms
from moorage.domain.errors import Refusal, Unavailable
from moorage.domain.names import Registry
from moorage.domain.ports import BlobMissing
from moorage.metadata.database import DatabaseUnusable, Transaction
from moorage.metadata.registry.layers import Blob
from moorage.metadata.scanning import scans


@click.command()
@click.argument("image", metavar="REPOSITORY[:TAG|@DIGEST]")
@account_option
@with_settings(REGISTRY, "sbom")
def sbom(image: str, account: str, settings: Settings) -> None:
    """Print the bill of materials of an image, in CycloneDX as JSON. The last scan of the image has made it.

    Without a tag or digest: the image with the tag latest.
    """
    existing_folder(settings)
    try:
        content = asyncio.run(_content(settings, Registry(account, settings.region), image))
    except (DatabaseUnusable, ForeignStore, OSError, Refusal, Unavailable) as error:
        raise failure(error) from None
    except BlobMissing:
        raise failure(f"The bill of materials of {image} is lost: scan the image again.") from None
    if content is None:
        raise failure(f"{image} has no bill of materials: scan the image.")
    click.echo(content)


async def _content(settings: Settings, registry: Registry, image: str) -> bytes | None:
    async with stores.opened(settings) as (database, store):
        blob = await database.read(partial(_find, registry=registry, image=image))
        return None if blob is None else await store.content(blob.key)


def _find(tx: Transaction, registry: Registry, image: str) -> Blob | None:
    """Raises RepositoryNotFound, ImageNotFound."""
    name, is_digest, digest = image.partition("@")
    name, _, tag = name.partition(":")
    repository = repositories.get(tx, registry, name)
    found = image_ids.get(tx, repository, ImageId(digest, None) if is_digest else ImageId(None, tag or "latest"))
    return boms.find(tx, repository, found, scans.find(tx, found.id))
