"""`moorage jobs`: list background jobs, retry them, and drop those that must not run."""

from __future__ import annotations

from functools import partial

import click

from moorage.cli.confirmation import confirm, yes_option
from moorage.cli.folders import existing_folder
from moorage.cli.options import with_registry
from moorage.cli.transactions import change, time_text
from moorage.config.settings import Settings
from moorage.core import jobs as queue
from moorage.core.clock import system_clock
from moorage.core.jobs import WAITING
from moorage.metadata.database import Transaction
from moorage.metadata.jobs import RECURRING, JobState

_NO_KEY = "-"
"""Stands for the key of a recurring job, which is empty."""


@click.group()
def jobs() -> None:
    """Background jobs: lifecycle runs, deliveries of events, garbage collection."""


@jobs.command("list")
@click.option("--dead", "dead_only", is_flag=True, help="Only jobs that failed too often and are no longer retried.")
@with_registry
def list_jobs(dead_only: bool, settings: Settings) -> None:
    """Show the jobs: kind, key, state, when it is due, attempts, and the last error."""
    now = system_clock()
    for job in queue.every_job(partial(change, settings), dead_only=dead_only):
        click.echo(_line(job, queue.state_of(job, now)))


@jobs.command("retry")
@click.argument("kind")
@click.argument("key", required=False)
@with_registry
def retry(kind: str, key: str | None, settings: Settings) -> None:
    """Run a job now: a dead one again, a waiting one before its time. Without KEY, all dead jobs of KIND."""
    now = system_clock()
    if key is not None:
        change(settings, lambda tx: queue.retry(tx, kind, _key(key), now))
        click.echo("The job runs as soon as a worker process is free.")
        return
    count = change(settings, lambda tx: queue.retry_dead(tx, kind, now))
    click.echo(f"Dead jobs that wait again: {count}.")


@jobs.command("drop")
@click.argument("kind")
@click.argument("key", required=False)
@yes_option
@with_registry
def drop(kind: str, key: str | None, yes: bool, settings: Settings) -> None:
    """Remove a job without running it. Without KEY, all dead jobs of KIND."""
    what = f"the job {kind!r} with the key {key!r}" if key is not None else f"all dead jobs of the kind {kind!r}"
    existing_folder(settings)
    confirm(f"Remove {what}?", yes=yes)
    now = system_clock()

    def remove(tx: Transaction) -> int:
        if key is None:
            return queue.drop_dead(tx, kind)
        queue.drop(tx, kind, _key(key), now)
        return 1

    click.echo(f"Jobs removed: {change(settings, remove)}.")


def _key(text: str) -> str:
    return RECURRING if text == _NO_KEY else text


def _line(job: JobState, state: str) -> str:
    """Fields separated by tabs. An error is shown on one line."""
    due = time_text(job.due_at) if state == WAITING else "-"
    error = " ".join((job.last_error or "-").split())
    return "\t".join((job.kind, job.key or _NO_KEY, state, due, str(job.attempts), error))
