"""`moorage replication`: how far replication is, what failed, and another attempt."""

from __future__ import annotations

import click

from moorage.cli.options import with_registry
from moorage.cli.transactions import change
from moorage.config.settings import Settings
from moorage.core.clock import system_clock
from moorage.core.replication import retries
from moorage.domain.names import Registry
from moorage.domain.units import SECOND, iso_time
from moorage.metadata.database import Transaction
from moorage.metadata.replication import destinations, progress
from moorage.metadata.replication.entries import Chosen
from moorage.metadata.replication.progress import Progress


@click.group()
def replication() -> None:
    """Replication of images to other registries."""


@replication.command("status")
@click.option("--failed", "shows_failed", is_flag=True, help="Show also the images that failed, with the reasons.")
@with_registry
def status(shows_failed: bool, settings: Settings) -> None:
    """Show what waits for each destination and what failed, the lag, and the last error."""
    now = system_clock()

    def read(tx: Transaction) -> list[str]:
        remote = {each.registry: each for each in destinations.list_all(tx)}
        lines = []
        for each in progress.of_destinations(tx):
            there = remote.pop(each.destination, None)
            lines.append(_line(each, there, now))
        lines += [_line(Progress(registry), there, now) for registry, there in remote.items()]
        if shows_failed:
            lines += [
                f"{one.destination.region}\t{one.destination.account}\t{one.repository}\t{one.tag or one.digest}"
                f"\t{one.code}\t{one.reason}"
                for one in progress.failed(tx)
            ]
        return lines

    lines = change(settings, read)
    if not lines:
        click.echo("No destination has images that wait or failed, and none is outside this server.", err=True)
    for line in lines:
        click.echo(line)


@replication.command("retry")
@click.option("--destination", nargs=2, metavar="REGION ACCOUNT", help="Only what goes to this destination.")
@click.option("--repository", metavar="NAME", help="Only what comes from repositories with this name.")
@with_registry
def retry(destination: tuple[str, str] | None, repository: str | None, settings: Settings) -> None:
    """Try again what failed, and try now what waits. The destination may be in this server or outside it."""
    chosen = Chosen(Registry(destination[1], destination[0]) if destination else None, repository)
    now = system_clock()
    retried = change(settings, lambda tx: retries.retry(tx, chosen, now))
    click.echo(f"Failed images and tags that wait again: {retried.failed}.")
    click.echo(f"Repositories that are replicated as soon as a worker process is free: {retried.repositories}.")


def _line(each: Progress, there: destinations.Destination | None, now: int) -> str:
    lag = f"{max(now - each.oldest, 0) // SECOND} s" if each.oldest is not None else "0 s"
    where = there.url if there is not None else "this server"
    parts = [each.destination.region, each.destination.account, where]
    parts += [f"{each.waiting} waiting", f"lag {lag}", f"{each.failed} failed"]
    if there is not None and there.last_arrival_at is not None:
        parts.append(f"last arrival {iso_time(there.last_arrival_at)}")
    if there is not None and there.last_error is not None and there.last_error_at is not None:
        parts.append(f"last error {iso_time(there.last_error_at)}: {there.last_error}")
    return "\t".join(parts)
