"""`moorage collect`: remove garbage now, or list it. It works with or without a running server."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import click

from moorage import app, stores
from moorage.cli.folders import existing_folder
from moorage.cli.formatting import size_text
from moorage.cli.next_commands import failure
from moorage.cli.options import duration, with_registry
from moorage.cli.recording import record
from moorage.config.settings import Settings
from moorage.core.garbage.collect import CollectionRules, Collector, GarbageItem, ReportItem, Totals
from moorage.core.garbage.sweep import Sweeper
from moorage.core.own_store import ForeignStore
from moorage.domain.errors import Unavailable
from moorage.domain.units import SECOND
from moorage.metadata.database import DatabaseUnusable

SHARE = 0.2
"""Share of a processor's time: somebody waits for the command, and pushes must hardly notice it."""


@click.command()
@click.option("--dry-run", is_flag=True, help="List the garbage, with the reason, without removing it.")
@click.option(
    "--grace", callback=duration, metavar="TIME", help="Grace period, for example 24h.  [default: that of the settings]"
)
@click.option(
    "--upload-life", callback=duration, metavar="TIME", help="Remove uploads that are older than this.  [default: 7d]"
)
@with_registry
def collect(dry_run: bool, grace: float | None, upload_life: float | None, settings: Settings) -> None:
    """Remove garbage: unreferenced layers, deleted images, abandoned uploads, and their bytes.

    The server does this every hour. With --grace 0, deleted images can no longer be undeleted. A client that is pushing
    may find that a layer it counts on is gone: it sends the layer again, or its push fails and must be repeated.
    """
    existing_folder(settings)
    rules = replace(app.collection_rules(settings), share=SHARE, dry_run=dry_run)
    if grace is not None:
        rules = replace(rules, grace=int(grace * SECOND))
    if upload_life is not None:
        rules = replace(rules, upload_life=int(upload_life * SECOND))
    totals = Totals()

    def list_garbage(garbage: GarbageItem) -> None:
        totals(garbage)
        size = f" ({size_text(garbage.size)})" if garbage.size else ""
        click.echo(f"{garbage.kind} {garbage.name}{size}: {garbage.why}")

    try:
        asyncio.run(_collect(settings, rules, list_garbage if dry_run else totals))
    except (DatabaseUnusable, ForeignStore, OSError, Unavailable) as error:
        raise failure(f"The collection did not finish: {error}") from None
    finally:
        if totals.counts and not dry_run:
            record(settings, {"removed": totals.counts})
    click.echo(_summary(totals, dry_run=dry_run))


async def _collect(settings: Settings, rules: CollectionRules, report: ReportItem) -> None:
    async with stores.opened(settings) as (database, blobs):
        clock = stores.clock_of(settings, database)
        await Collector(database, blobs, clock).collect(rules, report)
        await Sweeper(database, blobs, blobs, clock).sweep(report, share=rules.share, dry_run=rules.dry_run)


def _summary(totals: Totals, *, dry_run: bool) -> str:
    if not totals.counts:
        return "Nothing to remove."
    parts = [f"{kind} {count}" + _size_suffix(totals.sizes[kind]) for kind, count in totals.counts.items()]
    return f"{'Would remove' if dry_run else 'Removed'}: {', '.join(parts)}."


def _size_suffix(size: int) -> str:
    return f" ({size_text(size)})" if size else ""
