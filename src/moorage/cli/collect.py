"""`moorage collect`: remove garbage now, or say what it is. It works while the server runs."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import click

from moorage import app, stores
from moorage.cli.formatting import size_text
from moorage.cli.options import config_option, data_option, duration, existing_folder, settings_of
from moorage.config import Settings
from moorage.core.clock import SECOND
from moorage.core.garbage.collect import CollectionRules, Collector, Garbage, Report, Totals
from moorage.core.garbage.sweep import Sweeper
from moorage.domain.errors import Unavailable
from moorage.metadata.database import DatabaseUnusable

SHARE = 0.2
"""Of the time of a processor: somebody waits for the command, and pushes shall hardly notice."""


@click.command()
@click.option("--dry-run", is_flag=True, help="Remove nothing; say what would go, and why.")
@click.option("--grace", callback=duration, metavar="TIME", help="Grace period, as 24h or 30m  [default: as set]")
@click.option(
    "--upload-life", callback=duration, metavar="TIME", help="Uploads that began longer ago are removed  [default: 7d]"
)
@data_option
@config_option
def collect(
    dry_run: bool, grace: float | None, upload_life: float | None, data: Path | None, config: str | None
) -> None:
    """Remove what nothing needs any more: layers, deleted images, abandoned uploads, and their bytes.

    The server does this every hour by itself. --grace 0 removes at once what could still be brought back or was
    promised to a client that is pushing: its push then sends the layer again, or fails and is repeated.
    """
    existing_folder(data, config)
    settings = settings_of({"data": data, "config": config})
    rules = replace(app.collection_rules(settings), share=SHARE, dry_run=dry_run)
    if grace is not None:
        rules = replace(rules, grace=int(grace * SECOND))
    if upload_life is not None:
        rules = replace(rules, upload_life=int(upload_life * SECOND))
    totals = Totals()

    def say(one: Garbage) -> None:
        totals(one)
        click.echo(f"{one.kind} {one.name}{f' ({size_text(one.size)})' if one.size else ''}: {one.why}")

    try:
        asyncio.run(_collect(settings, rules, say if dry_run else totals))
    except (DatabaseUnusable, OSError, Unavailable) as error:
        raise click.ClickException(f"not everything could be removed: {error}") from None
    click.echo(_summary(totals, "would go" if dry_run else "gone"))


async def _collect(settings: Settings, rules: CollectionRules, report: Report) -> None:
    async with stores.opened(settings) as (database, blobs):
        await Collector(database, blobs, stores.clock_of(settings, database)).collect(rules, report)
        await Sweeper(database, blobs, blobs).sweep(report, share=rules.share, dry_run=rules.dry_run)


def _summary(totals: Totals, verb: str) -> str:
    if not totals.counts:
        return f"Nothing {'would go' if verb == 'would go' else 'to remove'}."
    parts = [f"{kind} {count}" + _bytes(totals.sizes[kind]) for kind, count in totals.counts.items()]
    return f"{verb.capitalize()}: {', '.join(parts)}."


def _bytes(size: int) -> str:
    return f" ({size_text(size)})" if size else ""
