"""`moorage verify`: verify stored bytes, and repair them from a copy. It works with or without a running server."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import click

from moorage import stores
from moorage.cli.exit_codes import answer_no
from moorage.cli.folders import existing_folder
from moorage.cli.next_commands import failure
from moorage.cli.options import with_registry
from moorage.cli.recording import record
from moorage.config.settings import Settings
from moorage.core.garbage.verify import EverythingMissing, Finding, VerificationReports, Verifier
from moorage.core.own_store import ForeignStore
from moorage.core.pacing import RateLimit
from moorage.domain import buckets
from moorage.domain.errors import Unavailable
from moorage.domain.units import MIB
from moorage.metadata.database import DatabaseUnusable
from moorage.metadata.garbage import verification


@click.command()
@click.option(
    "--repair-from",
    callback=lambda _context, _option, given: _source(given),
    metavar="STORE",
    help="Copy damaged or missing layers from this data folder or bucket, s3://BUCKET/PREFIX?…, for example a backup.",
)
@click.option(
    "--rate", type=click.FloatRange(min=0, min_open=True), metavar="MIB", help="Read at most this many MiB per second."
)
@click.option("--although-all-missing", is_flag=True, help="Mark layers as missing even if the store has none of them.")
@click.option("--resume", is_flag=True, help="Continue an interrupted verification.")
@with_registry
def verify(
    repair_from: str | None, rate: float | None, although_all_missing: bool, resume: bool, settings: Settings
) -> None:
    """Read every layer and manifest, and compare it with its digest and size.

    Nothing is deleted. Damaged and unknown files are moved to quarantine/ in the data folder. Clients no longer see a
    layer that is damaged or missing; pushing it again repairs it. If the blob store has no layer at all, nothing is
    marked: check that it is mounted. The exit code is 3 if something is damaged or missing and was not repaired.
    """
    existing_folder(settings)
    limit = RateLimit(rate * MIB if rate else None)
    checked = not although_all_missing and repair_from is None
    findings: list[Finding] = []
    try:
        asyncio.run(_verify(settings, repair_from, limit, findings.append, resume=resume, checked=checked))
    except EverythingMissing as error:
        raise failure(f"{error}: {settings.blob_place}. If they are lost, use --although-all-missing.") from None
    except (DatabaseUnusable, ForeignStore, OSError, Unavailable) as error:
        raise failure(f"The verification did not finish: {error}") from None
    finally:
        if findings:
            record(settings, {"findings": [f"{finding.what} {finding.name}" for finding in findings]})
    for finding in findings:
        repaired = f"; repaired from {finding.repaired} in {repair_from}" if finding.repaired else ""
        click.echo(f"{finding.what} {finding.name}: {finding.detail}{repaired}")
    not_repaired = sum(finding.is_unrepaired for finding in findings)
    click.echo(f"Verified: {len(findings)} findings, {not_repaired} of them not repaired.")
    if not_repaired:
        answer_no()


async def _verify(
    settings: Settings,
    repair_from: str | None,
    rate: RateLimit,
    found: Callable[[Finding], None],
    *,
    resume: bool,
    checked: bool,
) -> None:
    async with (
        stores.opened(settings) as (database, store),
        stores.copies_at(repair_from, settings.bucket_key) as source,
    ):
        after = await database.read(verification.position) if resume else 0
        length = await database.read(lambda tx: verification.bytes_after(tx, after))
        is_hidden = not sys.stderr.isatty()
        with click.progressbar(length=max(length, 1), label="Reading", file=sys.stderr, hidden=is_hidden) as bar:
            reports = VerificationReports(found, bar.update)
            verifier = Verifier(database, stores.stores_of(store, source), stores.clock_of(settings, database))
            if checked:
                await verifier.require_a_blob()
            await verifier.verify(reports, rate, resume=resume)


def _source(given: str | None) -> str | None:
    if given is None:
        return None
    if given.startswith(f"{buckets.SCHEME}://"):
        try:
            buckets.Bucket.parse(given)
        except ValueError as error:
            raise click.BadParameter(str(error)) from None
    elif not Path(given).is_dir():
        raise click.BadParameter(f"{given!r} is not a folder.")
    return given
