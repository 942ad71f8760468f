"""`moorage verify`: read everything back, and repair what can be repaired. It works while the server runs."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click

from moorage import stores
from moorage.cli.options import data_option, existing_folder, settings_of
from moorage.config import Settings
from moorage.core.clock import system_clock
from moorage.core.garbage.verify import Finding, Rate, Reports, Verifier
from moorage.domain import buckets
from moorage.domain.errors import Unavailable
from moorage.metadata.database import DatabaseUnusable
from moorage.metadata.garbage import verification

_MIB = 1 << 20


@click.command()
@click.option(
    "--repair-from",
    callback=lambda _context, _option, given: _source(given),
    metavar="STORE",
    help="A data folder or s3://BUCKET/PREFIX?…, a copy perhaps: what is damaged or missing is copied from there.",
)
@click.option(
    "--rate", type=click.FloatRange(min=0, min_open=True), metavar="MIB", help="Read so many MiB a second at most."
)
@click.option("--resume", is_flag=True, help="Go on where the last verification was interrupted.")
@data_option
def verify(repair_from: str | None, rate: float | None, resume: bool, data: Path | None) -> None:
    """Read every layer and manifest back, and compare it with its digest and size.

    Nothing is deleted. What is damaged, and what nobody knows of, is moved to quarantine/ in the data folder; a layer
    that is damaged or missing is absent for clients from then on, so that whoever pushes it again heals it. The exit
    code is 1 when something is damaged or missing and could not be repaired.
    """
    existing_folder(data)
    settings = settings_of({"data": data})
    try:
        findings = asyncio.run(_verify(settings, repair_from, Rate(rate * _MIB if rate else None), resume=resume))
    except (DatabaseUnusable, OSError, Unavailable) as error:
        raise click.ClickException(f"not everything could be verified: {error}") from None
    for one in findings:
        repaired = f"; repaired from {one.repaired} in {repair_from}" if one.repaired else ""
        click.echo(f"{one.what} {one.name}: {one.detail}{repaired}")
    harmed = sum(one.is_harm for one in findings)
    click.echo(f"Verified: {len(findings)} findings, {harmed} of them not repaired.")
    if harmed:
        raise SystemExit(1)


async def _verify(settings: Settings, repair_from: str | None, rate: Rate, *, resume: bool) -> list[Finding]:
    findings: list[Finding] = []
    async with (
        stores.opened(settings) as (database, store),
        stores.copies_at(repair_from, settings.bucket_key) as source,
    ):
        after = await database.read(verification.position) if resume else 0
        length = await database.read(lambda tx: verification.bytes_after(tx, after))
        silent = not sys.stderr.isatty()
        with click.progressbar(length=max(length, 1), label="Reading", file=sys.stderr, hidden=silent) as bar:
            reports = Reports(findings.append, bar.update)
            verifier = Verifier(database, stores.stores_of(store, source), system_clock)
            await verifier.verify(reports, rate, resume=resume)
    return findings


def _source(given: str | None) -> str | None:
    if given is None:
        return None
    if given.startswith(f"{buckets.SCHEME}://"):
        try:
            buckets.Bucket.parse(given)
        except ValueError as error:
            raise click.BadParameter(str(error)) from None
    elif not Path(given).is_dir():
        raise click.BadParameter(f"there is no folder {given!r}")
    return given
