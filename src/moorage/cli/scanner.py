"""`moorage scanner`: the vulnerability scanner and its database. The commands work with or without a running server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import click

from moorage import scanners, stores
from moorage.adapters.scanners.grype import Grype
from moorage.cli.exit_codes import answer_no
from moorage.cli.folders import existing_folder
from moorage.cli.next_commands import failure
from moorage.cli.options import with_settings
from moorage.cli.recording import record
from moorage.cli.transactions import time_text
from moorage.config.settings import Settings
from moorage.config.table import REGISTRY
from moorage.core.own_store import ForeignStore
from moorage.domain.errors import Unavailable
from moorage.domain.scanning.ports import Scanner, ScannerStatus, ScannerUnavailable
from moorage.metadata.database import DatabaseUnusable
from moorage.telemetry import Log


@click.group()
def scanner() -> None:
    """The vulnerability scanner and its database."""


@scanner.command("status")
@with_settings(REGISTRY, "scanner status")
def status(settings: Settings) -> None:
    """Show the scanner, the age of its vulnerability database, and what keeps it from scanning.

    The exit code is 3 if it cannot scan.
    """
    found = asyncio.run(_status(settings))
    click.echo(f"scanner\t{found.scanner}")
    click.echo(f"database\t{time_text(found.database_time) if found.database_time else '-'}")
    click.echo(f"problem\t{found.problem or '-'}")
    if found.problem:
        answer_no()


@scanner.command("update")
@with_settings(REGISTRY, "scanner update")
def update(settings: Settings) -> None:
    """Fetch and import the vulnerability database of --scanner-database now.

    A running server does this once per hour. Scans that are in progress end with the former database.
    """
    try:
        is_new, found = asyncio.run(_update(settings))
    except ScannerUnavailable as error:
        raise failure(error) from None
    if is_new:
        record(settings)
    built = time_text(found.database_time)
    click.echo(f"The vulnerability database of {built} is {'used now' if is_new else 'used already'}.")


async def _status(settings: Settings) -> ScannerStatus:
    async with _opened(settings) as found:
        if isinstance(found, Grype):
            return await found.known_status()
        try:
            return await found.status()
        except ScannerUnavailable as error:
            return ScannerStatus("-", None, None, str(error))


async def _update(settings: Settings) -> tuple[bool, ScannerStatus]:
    async with _opened(settings) as grype:
        if not isinstance(grype, Grype):
            raise failure("The scanner at this URL has a vulnerability database of its own, and updates it itself.")
        is_new = await grype.update()
        return is_new, await grype.known_status()


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Scanner]:
    existing_folder(settings)
    try:
        async with stores.opened(settings) as (database, store):
            now = stores.clock_of(settings, database)
            found = scanners.scanner_of(settings, scanners.stored_in(database), store, now, Log(descriptor=2))
            if found is None:
                raise failure(
                    "No scanner is set. Start the server and this command with --scanner grype:/PATH and"
                    " --scanner-sha256, or with MOORAGE_SCANNER and MOORAGE_SCANNER_SHA256."
                )
            yield found
    except (DatabaseUnusable, ForeignStore, OSError, Unavailable) as error:
        raise failure(error) from None
