"""`moorage undelete` and `moorage why`: deleted images that come back, and what holds what is there."""

from __future__ import annotations

from pathlib import Path

import click

from moorage import app
from moorage.cli.options import data_option, settings_of
from moorage.cli.transactions import account_option, change, time_text
from moorage.core.clock import system_clock
from moorage.core.garbage import why as holding
from moorage.core.garbage.undelete import NotInTrash, Undeleted
from moorage.core.registry import repositories
from moorage.domain.errors import Refusal
from moorage.domain.names import Registry
from moorage.metadata.database import Transaction
from moorage.metadata.garbage import deleted_images as trash

_PAGE = 1000


@click.command()
@click.argument("repository", default="")
@click.argument("reference", metavar="DIGEST|TAG", default="")
@click.option("--list", "is_list", is_flag=True, help="Show what can be brought back, of one repository or of all.")
@click.option("--region", metavar="NAME", help="Region of the registry  [default: that of the settings]")
@account_option
@data_option
def undelete(
    repository: str, reference: str, is_list: bool, region: str | None, account: str, data: Path | None
) -> None:
    """Bring back an image that was deleted within the grace period: with its tags, and with the images that it lists.

    A tag that names another image by now stays with that one. The repository must be there: create it again first if it
    was deleted, too.
    """
    settings = settings_of({"data": data, "region": region})
    registry = Registry(account, settings.region)
    if is_list:
        _list(registry, repository, app.collection_rules(settings).grace, data)
        return
    if not repository or not reference:
        raise click.UsageError("name a repository and a digest or tag, or say --list")

    undeletion = app.undeletion_of(settings)

    def bring_back(tx: Transaction) -> list[Undeleted]:
        found = repositories.get(tx, registry, repository)
        return undeletion.undelete(tx, found, reference, system_clock())

    try:
        back = change(data, bring_back)
    except (NotInTrash, Refusal) as refusal:
        raise click.ClickException(str(refusal)) from None
    for one in back:
        taken = f"; left to another image: {', '.join(one.taken)}" if one.taken else ""
        click.echo(f"{one.digest} is back{_tagged(one.tags)}{taken}")


def _list(registry: Registry, repository: str, grace: int, data: Path | None) -> None:
    after = 0
    while page := change(data, lambda tx: _page(tx, registry, repository, after)):  # noqa: B023 - called at once
        for removed, tags in page:
            click.echo(
                f"{removed.repository}\t{removed.digest}\t{', '.join(tags) or '-'}"
                f"\tdeleted {time_text(removed.deleted_at)}, gone after {time_text(removed.deleted_at + grace)}"
            )
            after = removed.id


def _page(
    tx: Transaction, registry: Registry, repository: str, after: int
) -> list[tuple[trash.DeletedImage, list[str]]]:
    return [(one, trash.tags_of(tx, one.id)) for one in trash.page(tx, registry, repository, after, _PAGE)]


def _tagged(tags: tuple[str, ...]) -> str:
    return f", tagged {', '.join(tags)}" if tags else ", without a tag"


@click.command()
@click.argument("digest")
@data_option
def why(digest: str, data: Path | None) -> None:
    """Say what holds a blob or an image: images, indexes, repositories, deleted images, grace periods.

    A line for each: where, what, and until when if that ends. The exit code is 1 when there is nothing of that digest.
    """
    grace = app.collection_rules(settings_of({"data": data})).grace
    reasons = change(data, lambda tx: holding.why(tx, digest, grace))
    if not reasons:
        raise click.ClickException(f"nothing of the digest {digest} is here")
    for reason in reasons:
        until = f", until {time_text(reason.until)}" if reason.until is not None else ""
        click.echo(f"{reason.where}\t{reason.what}{until}")
