"""`moorage migrate --from … --to …`: prepare both registries, move one to the other, and report progress."""

from __future__ import annotations

import asyncio
import shlex
import signal
import time
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from moorage import stores
from moorage.adapters.data_folder import DataFolder, FolderInUse, MasterKeyMissing
from moorage.cli.formatting import size_text
from moorage.cli.next_commands import failure
from moorage.cli.recording import record
from moorage.cli.reporting import reporting
from moorage.config.settings import Settings
from moorage.config.sources import registry_at
from moorage.core.clock import system_clock
from moorage.core.identity import master_key
from moorage.core.identity.master_key import MasterKeyWrong
from moorage.core.migration.blobs import Progress
from moorage.core.migration.migrate import Migration, MigrationOptions, MigrationRefused
from moorage.core.own_store import ForeignStore
from moorage.core.pacing import RateLimit
from moorage.core.vault import Vault
from moorage.domain.errors import Unavailable
from moorage.domain.ports import StoreFull
from moorage.domain.units import MIB
from moorage.metadata.database import DatabaseUnusable

_MINUTES_FROM: Final = 90
"""From this number of seconds on, a time is shown in minutes."""
_ERRORS: Final = (
    MigrationRefused,
    DatabaseUnusable,
    ForeignStore,
    FolderInUse,
    MasterKeyMissing,
    MasterKeyWrong,
    StoreFull,
    Unavailable,
    OSError,
)


@dataclass(frozen=True, slots=True)
class Route:
    """From where to where a registry moves: each a data folder or a configuration file."""

    source: Path
    target: Path

    def command(self, *options: str) -> str:
        """The command for this route, to copy."""
        return shlex.join(["moorage", "migrate", "--from", str(self.source), "--to", str(self.target), *options])


def move(route: Route, rate: float | None, *, blobs_only: bool) -> None:
    """Move a registry, or continue an interrupted move; an error ends the command."""
    progress = Progress()

    async def run(migration: Migration) -> None:
        started = time.monotonic()
        try:
            async with reporting(lambda: progress_line(progress, time.monotonic() - started)):
                await migration.run(blobs_only=blobs_only)
        finally:
            for layer in progress.damaged:
                click.echo(f"damaged layer {layer}")

    source, target = _with_both(route, RateLimit(rate * MIB if rate else None), progress, run, _to_continue)
    copied = f"{progress.blobs} layers ({size_text(progress.bytes)})"
    if blobs_only:
        click.echo(
            f"Copied: {copied}. {source} continues to serve. To move it, run the command without --copy-blobs-only."
        )
        return
    if progress.rows:
        click.echo(f"Moved: {copied} and {progress.rows} rows, which are the same on both sides.")
    else:
        click.echo("Moved: the previous run had copied everything.")
    click.echo(f"{source} no longer accepts changes. Start the servers of {target}, and send clients there.")


def abandon(route: Route) -> None:
    """Cancel a move: the source accepts changes again, and the target is emptied."""
    source, target = _with_both(route, RateLimit(None), Progress(), Migration.abandon, _to_finish_abandoning)
    click.echo(f"Canceled: {source} accepts changes again. The copies in {target} are removed.")


def _with_both(
    route: Route,
    rate: RateLimit,
    progress: Progress,
    work: Callable[[Migration], Coroutine[Any, Any, None]],
    advice: Callable[[Route, Migration], str],
) -> tuple[str, str]:
    """Do the work with both sides open, and protected from other migrations; returns their names.

    An error ends the command. Once the migration has begun, the error is followed by `advice`.
    """
    begun: Migration | None = None

    async def run(source: Settings, target: Settings, options: MigrationOptions) -> None:
        nonlocal begun
        _cancel_on_sigterm(asyncio.current_task())
        async with stores.migration_end(source) as source_end, stores.migration_end(target) as target_end:
            begun = Migration(source_end, target_end, options, progress)
            await work(begun)

    def next_step() -> str:
        return "" if begun is None else advice(route, begun)

    try:
        source, target = registry_at(route.source), registry_at(route.target)
        options = MigrationOptions(rate, _share_store(source, target), system_clock)
        with ExitStack() as locks:
            _prepare(source, target, locks)
            asyncio.run(run(source, target, options))
            for side in (source, target):
                record(side, {"from": source.place, "to": target.place})
    except MigrationRefused as error:  # Its text has the next step.
        raise failure(f"{error}{_sealed_notice(route, begun)}") from None
    except _ERRORS as error:
        raise failure(f"{error}{next_step()}") from None
    except (asyncio.CancelledError, KeyboardInterrupt):
        if begun is not None:
            click.echo(next_step().strip(), err=True)
        raise click.Abort from None
    return source.place, target.place


def _to_continue(route: Route, migration: Migration) -> str:
    """The next step after a move was interrupted."""
    return f"{_sealed_notice(route, migration)}\nTo continue: {route.command()}{_to_give_up(route, migration)}"


def _to_give_up(route: Route, migration: Migration) -> str:
    return "" if migration.may_be_complete else f"\nTo give the migration up: {route.command('--abandon')}"


def _to_finish_abandoning(route: Route, migration: Migration) -> str:
    """The next step after abandoning was interrupted."""
    return f"{_sealed_notice(route, migration)}\nTo finish giving the migration up: {route.command('--abandon')}"


def _sealed_notice(route: Route, migration: Migration | None) -> str:
    return f"\n{route.source} still rejects changes." if migration is not None and migration.is_sealed else ""


def _cancel_on_sigterm(task: asyncio.Task[Any] | None) -> None:
    """Make SIGTERM do what Ctrl-C does: the database is unsealed before the process ends."""
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


def _prepare(source: Settings, target: Settings, locks: ExitStack) -> None:
    """Check the source, and lock and prepare the target. Raises the exceptions in `_ERRORS`."""
    source_folder = DataFolder(source.data, source.given_master_key())
    if source.database is None and not source_folder.database.exists():
        raise MigrationRefused(f"{source.place} is not a data folder: there is nothing to migrate")
    key = source_folder.master_key()
    stores.engine_of(source, source_folder).transact(lambda tx: master_key.confirm(tx, Vault(key)))
    target_folder = DataFolder(target.data, target.given_master_key())
    target_folder.prepare()
    if target.database is None:
        target_folder.lock()
        locks.callback(target_folder.unlock)
    locks.enter_context(stores.engine_of(target, target_folder).lock_migration())
    stores.prepare_target(target, target_folder, key)


def _share_store(source: Settings, target: Settings) -> bool:
    """Whether both sides use the same bucket, so that blobs stay in place.

    Raises MigrationRefused if both use the same folder: each side would sweep away the blobs of the other.
    """
    if source.bucket is None and target.bucket is None:
        if source.blob_folder.resolve() == target.blob_folder.resolve():
            raise MigrationRefused(
                f"both sides keep their layers in {source.blob_folder}: choose another folder, or a bucket"
            )
        return False
    return source.bucket == target.bucket


def progress_line(progress: Progress, seconds: float) -> str:
    """The progress after `seconds`, with an estimate of the remaining time.

    The rest takes as long as its bytes or as its number of layers: many small layers have few bytes.
    """
    speed = progress.copied / seconds
    parts = [
        f"{progress.step}: {progress.blobs} of {progress.of_blobs} layers",
        f"{size_text(progress.bytes)} of {size_text(progress.of_bytes)}",
        f"{speed / MIB:.1f} MiB/s",
    ]
    if progress.rows:
        parts.append(f"{progress.rows} rows")
    remaining = [
        (progress.of_bytes - progress.bytes, progress.copied),
        (progress.of_blobs - progress.blobs, progress.copied_blobs),
    ]
    left = max((seconds * rest / done for rest, done in remaining if done), default=0)
    if left > 0:
        parts.append(f"{left:.0f} s left" if left < _MINUTES_FROM else f"{left / 60:.0f} min left")
    return ", ".join(parts)
