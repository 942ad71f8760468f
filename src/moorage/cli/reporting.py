"""Progress of commands that take long: a line every few seconds, on standard error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

import click

_REPORT_SECONDS: Final = 5.0


@asynccontextmanager
async def reporting(line: Callable[[], str]) -> AsyncIterator[None]:
    """Print a line every few seconds, until the end of the block."""
    task = asyncio.create_task(_report(line))
    try:
        yield
    finally:
        task.cancel()


async def _report(line: Callable[[], str]) -> None:
    with suppress(asyncio.CancelledError):
        while True:
            await asyncio.sleep(_REPORT_SECONDS)
            click.echo(line(), err=True)
