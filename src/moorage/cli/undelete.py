"""`moorage undelete` and `moorage why`: bring back deleted images, and show what keeps a blob or an image."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import click

from moorage import app
from moorage.cli.exit_codes import answer_no
from moorage.cli.next_commands import failure, for_this_registry
from moorage.cli.options import with_registry, with_settings
from moorage.cli.transactions import account_option, change, time_text
from moorage.config.settings import Settings
from moorage.config.table import REGISTRY
from moorage.core.clock import system_clock
from moorage.core.garbage import why as reasons_to_keep
from moorage.core.garbage.undelete import NoDeletedImage, Undeleted
from moorage.core.registry import repositories
from moorage.domain.errors import Refusal
from moorage.domain.names import Registry
from moorage.metadata.database import Transaction
from moorage.metadata.garbage import deleted_images, deleted_repositories
from moorage.metadata.garbage.deleted_images import DeletedImage
from moorage.metadata.registry import images

_PAGE = 1000

_Entry = tuple[DeletedImage, list[str]]
"""A deleted image and its tags."""


@click.command()
@click.argument("repository", default="")
@click.argument("reference", metavar="DIGEST|TAG", default="")
@click.option("--list", "is_list", is_flag=True, help="List deleted images, of one repository or of all.")
@account_option
@with_settings(REGISTRY, "undelete")
def undelete(repository: str, reference: str, is_list: bool, account: str, settings: Settings) -> None:
    """Bring back an image that was deleted within the grace period, with its tags.

    If the image is an index, the images that it lists come back, too. A tag that now names another image stays with
    that image. The repository must exist: if it was deleted, too, create it again first.
    """
    registry = Registry(account, settings.region)
    if is_list:
        _list(registry, repository, settings)
        return
    if not repository or not reference:
        raise click.UsageError("Name a repository and a digest or tag, or use --list.")

    undeletion = app.undeletion_of(settings)

    def bring_back(tx: Transaction) -> list[Undeleted]:
        found = repositories.get(tx, registry, repository)
        return undeletion.undelete(tx, found, reference, system_clock())

    try:
        undeleted = change(settings, bring_back, lambda made: {"imageDigests": [image.digest for image in made]})
    except (NoDeletedImage, Refusal) as refusal:
        raise failure(refusal) from None
    for image in undeleted:
        taken = f"; tags of other images now: {', '.join(image.taken)}" if image.taken else ""
        click.echo(f"Undeleted {image.digest}{_tagged(image.tags)}{taken}")


def _list(registry: Registry, repository: str, settings: Settings) -> None:
    grace = app.collection_rules(settings).grace
    for removed, tags in _deleted(registry, repository, settings):
        click.echo(
            f"{removed.repository}\t{removed.digest}\t{', '.join(tags) or '-'}"
            f"\tdeleted {time_text(removed.deleted_at)}, removed after {time_text(removed.deleted_at + grace)}"
        )


def _deleted(registry: Registry, repository: str, settings: Settings) -> Iterator[_Entry]:
    """The deleted images with their tags. First those of deleted repositories: meanwhile they may join the others."""
    for former in change(settings, lambda tx: deleted_repositories.named(tx, registry, repository)):
        images_left = partial(deleted_repositories.page, deleted=former, limit=_PAGE)
        yield from _pages(settings, _Pages(images_left, 0, lambda image: image.id, images.tags_of))
    others = partial(deleted_images.page, registry=registry, repository=repository, limit=_PAGE)
    kept = _Pages(others, ("", ""), lambda image: (image.repository, image.digest), deleted_images.tags_of)
    yield from _pages(settings, kept)


@dataclass(frozen=True)
class _Pages:
    """How deleted images are read in pages: each page begins after the position of the last image."""

    read: Callable[..., list[DeletedImage]]
    first: object
    position: Callable[[DeletedImage], object]
    tags_of: Callable[[Transaction, int], list[str]]

    def page(self, tx: Transaction, after: object) -> list[_Entry]:
        return [(image, self.tags_of(tx, image.id)) for image in self.read(tx, after=after)]


def _pages(settings: Settings, pages: _Pages) -> Iterator[_Entry]:
    """All images with their tags."""
    after = pages.first
    while page := change(settings, partial(pages.page, after=after)):
        yield from page
        after = pages.position(page[-1][0])


def _tagged(tags: tuple[str, ...]) -> str:
    return f", tagged {', '.join(tags)}" if tags else ", without a tag"


@click.command()
@click.argument("digest")
@with_registry
def why(digest: str, settings: Settings) -> None:
    """Show what keeps a blob or an image: images, indexes, repositories, deleted images, grace periods.

    Each line says where, what, and until when if it ends. The exit code is 3 if the registry has nothing with this
    digest.
    """
    grace = app.collection_rules(settings).grace
    reasons = change(settings, lambda tx: reasons_to_keep.why(tx, digest, grace))
    if not reasons:
        click.echo(f"The registry has nothing with the digest {digest}.", err=True)
        answer_no()
    for reason in reasons:
        until = f", until {time_text(reason.until)}" if reason.until is not None else ""
        click.echo(f"{reason.where}\t{for_this_registry(reason.text)}{until}")
