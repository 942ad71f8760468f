"""A database with workers, for tests that run the worker's loop in their own process."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from moorage.core.clock import system_clock
from moorage.metadata import jobs
from moorage.metadata.jobs import JobState
from moorage.telemetry import Log
from moorage.worker import JobKind, Worker
from tests.support.databases import engine_of
from tests.support.waiting import PATIENCE_SECONDS

KIND = "work"


class Bench:
    """A database with any number of workers. `events` has what they logged."""

    def __init__(self, folder: Path) -> None:
        self.database = engine_of(folder).open()
        self._log_file = folder / "log"
        self._descriptor = os.open(self._log_file, os.O_WRONLY | os.O_CREAT)

    def worker(self, job_kind: JobKind) -> Worker:
        log = Log(descriptor=self._descriptor)
        return Worker(self.database, {KIND: job_kind}, system_clock, log, poll_seconds=0.01)

    async def request(self, *keys: str) -> None:
        for key in keys:
            await self.database.write(partial(jobs.enqueue, kind=KIND, key=key, payload={}, due_at=system_clock()))

    def waiting(self) -> int:
        return self.database.read_blocking(lambda tx: len(tx.all("SELECT 1 FROM job WHERE state = 'waiting'")))

    def dead(self) -> list[JobState]:
        return self.database.read_blocking(lambda tx: jobs.page(tx, ("", ""), 10, dead_only=True))

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._log_file.read_text().splitlines()]

    def close(self) -> None:
        self.database.close()
        os.close(self._descriptor)


@asynccontextmanager
async def bench(folder: Path, *job_kinds: JobKind) -> AsyncIterator[Bench]:
    started = Bench(folder)
    started.database.start()
    workers = [started.worker(job_kind) for job_kind in job_kinds]
    for worker in workers:
        worker.start()
    try:
        yield started
    finally:
        for worker in workers:
            await worker.stop()
        started.close()


async def until(is_so: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not is_so():  # noqa: ASYNC110 - what is waited for is in the database
            await asyncio.sleep(0.005)


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await test()

    asyncio.run(main())
