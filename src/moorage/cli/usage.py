"""`moorage usage`: the bytes that repositories, teams and accounts use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Final

import click

from moorage import stores
from moorage.cli.folders import existing_folder
from moorage.cli.next_commands import failure
from moorage.cli.options import with_registry
from moorage.cli.transactions import change
from moorage.config.settings import Settings
from moorage.domain.errors import Unavailable
from moorage.metadata.database import Database
from moorage.metadata.migration import records
from moorage.metadata.registry import usage as rows
from moorage.metadata.registry.usage import Usage

_PAGE: Final = 20
"""Repositories in one transaction: a large one has thousands of layers."""

_GROUPS: Final[dict[str, Callable[[Usage], str]]] = {
    "repository": lambda row: f"{row.account}/{row.region}/{row.name}",
    "prefix": lambda row: f"{row.account}/{row.region}/{row.name.partition('/')[0]}",
    "account": lambda row: row.account,
}


@dataclass(slots=True)
class _Sum:
    images: int = 0
    layers: int = 0
    bytes: int = 0
    own_bytes: int = 0

    def add(self, row: Usage) -> None:
        self.images += row.images
        self.layers += row.layers
        self.bytes += row.bytes
        self.own_bytes += row.own_bytes


@click.command()
@click.option(
    "--by",
    type=click.Choice(list(_GROUPS)),
    default="repository",
    show_default=True,
    help="Sum up repositories with the same first part of the name (prefix), or those of an account.",
)
@with_registry
def usage(by: str, settings: Settings) -> None:
    """Show the bytes of each repository, of each first part of their names (`team` of team/app), or of each account.

    The columns are: name, images, layers, the bytes of these layers, and the bytes of layers that no other repository
    has. A layer is stored once, but counts in each repository that has it, so the bytes can add up to more than the
    last line, which has what the blob store contains.
    """
    group, sums = _GROUPS[by], dict[str, _Sum]()
    change(settings, lambda _: None)  # A database that this program cannot read ends the command.
    try:
        with closing(stores.engine_of(settings, existing_folder(settings)).open()) as database:
            for row in _all(database):
                sums.setdefault(group(row), _Sum()).add(row)
            blobs, size = database.read_blocking(records.totals)
    except Unavailable as error:
        raise failure(error) from None
    for name, total in sorted(sums.items()):
        click.echo(f"{name}\t{total.images}\t{total.layers}\t{total.bytes}\t{total.own_bytes}")
    click.echo(f"stored\t-\t{blobs}\t{size}\t-")


def _all(database: Database) -> Iterator[Usage]:
    """All repositories, read in small transactions that no push waits for."""
    after = 0
    while found := database.read_blocking(partial(rows.page, after=after, limit=_PAGE)):
        yield from found
        after = found[-1].id
