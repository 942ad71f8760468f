"""What a garbage collection would remove: a search that ends after some items or seconds."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from moorage.core import jobs
from moorage.core.garbage.collect import CollectionRules, Collector, GarbageItem
from moorage.core.garbage.jobs import COLLECTION
from moorage.metadata.database import Transaction
from moorage.metadata.jobs import RECURRING

_SECONDS: Final = 3.0
_SHARE: Final = 0.3
"""Share of a processor's time: pushes must hardly notice that somebody looks."""


class _Enough(Exception):
    """As many items were found as were asked for."""


async def listed(collector: Collector, grace: int, limit: int) -> tuple[list[GarbageItem], bool]:
    """At most `limit` items that would be removed, and whether these are all. Raises OSError, Unavailable."""
    found: list[GarbageItem] = []

    def report(item: GarbageItem) -> None:
        if len(found) == limit:
            raise _Enough
        found.append(item)

    with suppress(_Enough, TimeoutError):
        async with asyncio.timeout(_SECONDS):
            await collector.collect(CollectionRules(grace, share=_SHARE, dry_run=True), report)
        return found, True
    return found, False


def start_collection(tx: Transaction, now: int) -> None:
    """Let the collector run now. Raises JobError if it is running."""
    jobs.retry(tx, COLLECTION, RECURRING, now)
