"""`moorage webhook`: manage the receivers of events. The commands work with or without a running server."""

from __future__ import annotations

import asyncio
from contextlib import closing

import click

from moorage.adapters.event_senders import EventSenders
from moorage.cli.next_commands import failure
from moorage.cli.options import with_registry
from moorage.cli.transactions import change, change_with_secrets
from moorage.config.settings import Settings
from moorage.core.clock import system_clock
from moorage.core.events import delivery, targets
from moorage.core.events import record as events
from moorage.core.events.formats import EVENTBRIDGE, FORMATS
from moorage.core.events.targets import TargetRequest
from moorage.core.vault import Vault
from moorage.domain.names import Registry
from moorage.domain.ports import MessageRejected, TargetUnavailable
from moorage.domain.units import iso_time
from moorage.metadata.database import Transaction
from moorage.metadata.events import deliveries as delivery_rows
from moorage.metadata.events import targets as target_rows
from moorage.metadata.events.targets import EventTarget

_id_argument = click.argument("target_id", metavar="ID")
_format_choice = click.Choice(list(FORMATS), case_sensitive=False)


@click.group()
def webhook() -> None:
    """Receivers of events: URLs to which the server posts each push and each deletion."""


@webhook.command("add")
@click.argument("url")
@click.option(
    "--events",
    "names",
    multiple=True,
    type=click.Choice(events.NAMES, case_sensitive=False),
    help="Send only these events; may be repeated.  [default: all]",
)
@click.option(
    "--format", "name", type=_format_choice, default=EVENTBRIDGE, show_default=True, help="Format of the messages."
)
@click.option(
    "--secret", metavar="whsec_…", help="The secret that signs the messages.  [default: a new one, shown once]"
)
@with_registry
def add(url: str, names: tuple[str, ...], name: str, secret: str | None, settings: Settings) -> None:
    """Send events to URL from now on."""
    request = TargetRequest(url, name, names, secret)
    new = change_with_secrets(
        settings,
        lambda tx, vault: targets.add(tx, vault, EventSenders(), request, system_clock()),
        lambda made: {"webhookId": made.target.id},
    )
    click.echo(f"{new.target.id}\t{new.target.url}")
    if secret is None:
        click.echo(f"Its secret, shown this once: {new.secret}")


@webhook.command("list")
@with_registry
def list_webhooks(settings: Settings) -> None:
    """Show the webhooks, their formats and events, and how many events wait or failed."""
    for line in change(settings, lambda tx: [_line(tx, target) for target in target_rows.list_all(tx)]):
        click.echo(line)


@webhook.command("change")
@_id_argument
@click.option("--format", "name", type=_format_choice, required=True, help="Format of the messages.")
@with_registry
def change_webhook(target_id: str, name: str, settings: Settings) -> None:
    """Send events in another format from now on. Events that wait use it, too."""
    change(settings, lambda tx: targets.set_format(tx, target_id, name))


@webhook.command("remove")
@_id_argument
@with_registry
def remove(target_id: str, settings: Settings) -> None:
    """Send no more events to a webhook. Events that wait for it are dropped."""

    def delete(tx: Transaction) -> None:
        target_rows.delete(tx, targets.get(tx, target_id).id)

    change(settings, delete)


@webhook.command("test")
@_id_argument
@with_registry
def test(target_id: str, settings: Settings) -> None:
    """Send a test event from this machine and show the answer."""

    def find(tx: Transaction, vault: Vault) -> tuple[EventTarget, str]:
        target = targets.get(tx, target_id)
        return target, vault.open(target.sealed_secret, target.id)

    target, secret = change_with_secrets(settings, find)
    try:
        answer = asyncio.run(_send_test(target, secret, settings.account))
    except (TargetUnavailable, MessageRejected) as error:
        raise failure(f"{target.url}: {error}") from None
    click.echo(f"{target.url} answered {answer}")


@webhook.command("failed")
@_id_argument
@with_registry
def failed(target_id: str, settings: Settings) -> None:
    """Show the events that failed, and why."""
    for event in change(settings, lambda tx: delivery_rows.failed(tx, targets.get(tx, target_id).id)):
        click.echo(f"{event.event_id}\t{iso_time(event.recorded_at)}\t{event.stream}\t{event.error}")


@webhook.command("retry")
@_id_argument
@click.argument("event_id", metavar="[EVENT]", required=False)
@with_registry
def retry(target_id: str, event_id: str | None, settings: Settings) -> None:
    """Send failed events again, all of them or only EVENT. Events that wait are sent at once."""
    again = change(
        settings,
        lambda tx: targets.send_again(tx, targets.get(tx, target_id), event_id, system_clock()),
    )
    click.echo(f"{again} failed events wait again.")


def _line(tx: Transaction, target: EventTarget) -> str:
    waiting, failed = delivery_rows.count(tx, target.id)
    chosen = ",".join(target.events)
    return f"{target.id}\t{target.url}\t{target.format}\t{chosen}\t{waiting} waiting\t{failed} failed"


async def _send_test(target: EventTarget, secret: str, account: str) -> str:
    now = system_clock()
    event = delivery.test_delivery(target, Registry(account, "us-east-1"), now)
    with closing(EventSenders().connect(target.url)) as connection:
        return await delivery.send(connection, target, secret, event, now)
