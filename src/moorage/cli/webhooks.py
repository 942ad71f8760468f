"""`moorage webhook`: who is told of what happens in the registry. The commands work while the server runs."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path

import click
import msgspec

from moorage.adapters.http_sender import HttpCourier
from moorage.app import ACCOUNT
from moorage.cli.options import data_option, existing_folder
from moorage.cli.transactions import change, change_with_secrets
from moorage.core.clock import iso_time, system_clock
from moorage.core.events import record as events
from moorage.core.events import webhooks
from moorage.core.vault import Vault
from moorage.domain.ports import Unreachable
from moorage.metadata.database import Transaction
from moorage.metadata.events import webhooks as rows

_id_argument = click.argument("webhook_id", metavar="ID")


@click.group()
def webhook() -> None:
    """Receivers of events: URLs to which each push and each deletion is posted."""


@webhook.command("add")
@click.argument("url")
@click.option(
    "--events",
    "names",
    multiple=True,
    type=click.Choice(events.NAMES, case_sensitive=False),
    help="Only these; may be repeated.  [default: all]",
)
@click.option(
    "--secret", metavar="whsec_…", help="The secret that signs the messages.  [default: a new one, shown once]"
)
@data_option
def add(url: str, names: tuple[str, ...], secret: str | None, data: Path | None) -> None:
    """Post events to URL from now on."""
    made = change_with_secrets(
        existing_folder(data), lambda tx, vault: webhooks.add(tx, vault, url, names, secret, system_clock())
    )
    click.echo(f"{made.webhook.id}\t{made.webhook.url}")
    if secret is None:
        click.echo(f"Its secret, shown this once: {made.secret}")


@webhook.command("list")
@data_option
def list_webhooks(data: Path | None) -> None:
    """Show the webhooks: what they want, how many events wait, and how many could not be delivered."""
    for line in change(data, lambda tx: [_line(tx, one) for one in rows.list_all(tx)]):
        click.echo(line)


@webhook.command("remove")
@_id_argument
@data_option
def remove(webhook_id: str, data: Path | None) -> None:
    """Post no more events there, not even those that wait."""

    def delete(tx: Transaction) -> None:
        rows.delete(tx, webhooks.get(tx, webhook_id).id)

    change(data, delete)


@webhook.command("test")
@_id_argument
@data_option
def test(webhook_id: str, data: Path | None) -> None:
    """Post one event of the detail-type "Moorage Webhook Test" from here, and say what was answered."""

    def find(tx: Transaction, vault: Vault) -> tuple[rows.Webhook, str]:
        hook = webhooks.get(tx, webhook_id)
        return hook, vault.open(hook.sealed_secret, hook.id)

    found, secret = change_with_secrets(existing_folder(data), find)
    try:
        status = asyncio.run(_post_test(found, secret))
    except Unreachable as error:
        raise click.ClickException(f"{found.url}: {error}") from None
    click.echo(f"{found.url} answered {status}")
    if not webhooks.is_acceptance(status):
        raise click.exceptions.Exit(1)


@webhook.command("failed")
@_id_argument
@data_option
def failed(webhook_id: str, data: Path | None) -> None:
    """Show the events that could not be delivered, with the reason."""
    found = change(data, lambda tx: rows.failed(tx, webhooks.get(tx, webhook_id).id))
    for one in found:
        click.echo(f"{one.event_id}\t{iso_time(one.recorded_at)}\t{one.stream}\t{one.error}")


@webhook.command("retry")
@_id_argument
@click.argument("event_id", metavar="[EVENT]", required=False)
@data_option
def retry(webhook_id: str, event_id: str | None, data: Path | None) -> None:
    """Deliver failed events again, all of them or EVENT only, and those that wait at once."""
    again = change(
        data,
        lambda tx: webhooks.send_again(tx, webhooks.get(tx, webhook_id), event_id, system_clock()),
    )
    click.echo(f"{again} failed events wait again.")


def _line(tx: Transaction, hook: rows.Webhook) -> str:
    waiting, failed = rows.count(tx, hook.id)
    return f"{hook.id}\t{hook.url}\t{','.join(hook.events)}\t{waiting} waiting\t{failed} failed"


async def _post_test(hook: rows.Webhook, secret: str) -> int:
    now = system_clock()
    event_id, event = webhooks.test_event(ACCOUNT, now)
    with closing(HttpCourier().line(hook.url)) as line:
        return await webhooks.post(line, secret, event_id, msgspec.json.encode(event), now)
