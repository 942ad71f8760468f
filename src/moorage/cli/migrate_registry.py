"""How `moorage migrate --from … --to …` moves a registry: what it asks of both sides, and what it says meanwhile."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Coroutine
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from moorage import stores
from moorage.adapters.data_folder import DataFolder, FolderInUse, MasterKeyMissing
from moorage.cli.formatting import size_text
from moorage.config import Settings, SettingWrong, registry_at
from moorage.core.clock import system_clock
from moorage.core.garbage.verify import Rate
from moorage.core.identity import master_key
from moorage.core.identity.master_key import MasterKeyWrong
from moorage.core.migration.blobs import Progress
from moorage.core.migration.move import MoveRefused, Moving, Terms
from moorage.core.vault import Vault
from moorage.domain.errors import Unavailable
from moorage.domain.ports import StoreFull
from moorage.metadata.database import DatabaseUnusable

_SAID_SECONDS: Final = 5.0
_MIB: Final = 1 << 20
_REFUSED: Final = (
    MoveRefused,
    DatabaseUnusable,
    FolderInUse,
    MasterKeyMissing,
    MasterKeyWrong,
    SettingWrong,
    StoreFull,
    Unavailable,
    OSError,
)


@dataclass(frozen=True, slots=True)
class Way:
    """From where to where, each a data folder or a configuration file."""

    source: Path
    target: Path


def move(way: Way, rate: float | None, *, blobs_only: bool) -> None:
    """Move a registry, or go on with it, and say how it went; a failure ends the command with its text."""
    progress = Progress()

    async def run(moving: Moving) -> None:
        telling = asyncio.create_task(_tell(progress))
        try:
            await moving.run(blobs_only=blobs_only)
        finally:
            telling.cancel()
            for one in progress.harmed:
                click.echo(f"harmed layer {one}")

    source, target = _with_both(way, Rate(rate * _MIB if rate else None), progress, run)
    copied = f"{progress.blobs} layers ({size_text(progress.bytes)})"
    if blobs_only:
        click.echo(f"Copied: {copied}. {source} goes on; run the command without --copy-blobs-only to move.")
        return
    if progress.rows:
        click.echo(f"Moved: {copied} and {progress.rows} rows, which are the same on both sides.")
    else:
        click.echo("Moved: the run before had copied everything.")
    click.echo(f"{source} accepts no changes any more. Start the servers of {target}, and send clients there.")


def abandon(way: Way) -> None:
    """Give a move up: the source accepts changes, the target holds nothing."""
    source, target = _with_both(way, Rate(None), Progress(), Moving.abandon)
    click.echo(f"Given up: {source} accepts changes, and what was copied to {target} is removed.")


def _with_both(
    way: Way, rate: Rate, progress: Progress, work: Callable[[Moving], Coroutine[Any, Any, None]]
) -> tuple[str, str]:
    """Do the work with both sides open and nobody else moving anything there; returns their names."""
    sealed = False

    async def run(source: Settings, target: Settings, terms: Terms) -> None:
        nonlocal sealed
        _end_in_order(asyncio.current_task())
        async with stores.side_of(source) as one, stores.side_of(target) as other:
            moving = Moving(one, other, terms, progress)
            try:
                await work(moving)
            finally:
                sealed = moving.is_sealed

    try:
        source, target = registry_at(way.source), registry_at(way.target)
        terms = Terms(rate, _share_store(source, target), system_clock)
        with ExitStack() as held:
            _prepare(source, target, held)
            asyncio.run(run(source, target, terms))
    except _REFUSED as error:
        raise click.ClickException(f"{error}{_left(way) if sealed else ''}") from None
    except (asyncio.CancelledError, KeyboardInterrupt):
        if sealed:
            click.echo(_left(way).strip(), err=True)
        raise click.Abort from None
    return source.place, target.place


def _left(way: Way) -> str:
    return f"\n{way.source} still refuses changes: run the same command again, or with --abandon"


def _end_in_order(doing: asyncio.Task[Any] | None) -> None:
    """Let SIGTERM do what Ctrl-C does: a seal is taken off before the process ends."""
    if doing is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, doing.cancel)


def _prepare(source: Settings, target: Settings, held: ExitStack) -> None:
    """Look at the source and make the target ready, which is then ours alone. Raises what `_REFUSED` has."""
    home = DataFolder(source.data, source.given_master_key())
    if source.database is None and not home.database.exists():
        raise MoveRefused(f"{source.place} is no data folder: there is nothing to move")
    key = home.master_key()
    stores.engine_of(source, home).transact(lambda tx: master_key.confirm(tx, Vault(key)))
    goal = DataFolder(target.data, target.given_master_key())
    goal.prepare()
    if target.database is None:
        goal.lock()
        held.callback(goal.unlock)
    held.enter_context(stores.engine_of(target, goal).lock_migration())
    stores.prepare_target(target, goal, key)


def _share_store(source: Settings, target: Settings) -> bool:
    """Whether blobs stay in their bucket. Raises MoveRefused for one folder: each side would sweep the other's away."""
    if source.bucket is None and target.bucket is None and _same(source.blob_folder, target.blob_folder):
        raise MoveRefused(f"both sides keep their layers in {source.blob_folder}: choose another folder, or a bucket")
    return source.bucket is not None and source.bucket == target.bucket


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()


async def _tell(progress: Progress) -> None:
    """Say every few seconds how far it is."""
    started = time.monotonic()
    with suppress(asyncio.CancelledError):
        while True:
            await asyncio.sleep(_SAID_SECONDS)
            click.echo(_line(progress, time.monotonic() - started), err=True)


def _line(progress: Progress, seconds: float) -> str:
    speed = progress.copied / seconds
    parts = [
        f"{progress.step}: {progress.blobs} of {progress.of_blobs} layers",
        f"{size_text(progress.bytes)} of {size_text(progress.of_bytes)}",
        f"{speed / _MIB:.1f} MiB/s",
    ]
    if progress.rows:
        parts.append(f"{progress.rows} rows")
    left = progress.of_bytes - progress.bytes
    if left > 0 and speed > 0:
        parts.append(f"{left / speed / 60:.0f} min left")
    return ", ".join(parts)
