"""A registry to collect garbage in: its endpoints, the collecting command, and a way to let time pass."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moorage.adapters.files.blob_store import FileBlobStore
from moorage.core.clock import system_clock
from moorage.core.garbage.collect import CollectionRules, Collector, GarbageItem
from moorage.core.garbage.sweep import Sweeper
from moorage.domain.units import DAY, HOUR
from tests.support.commands import Ended, run_apart, run_here
from tests.support.databases import engine_of
from tests.support.http_client import Docker
from tests.support.images import Blob
from tests.support.server import Server

AFTER_GRACE = 28 * HOUR
"""A moment after the grace period of 24 hours and its extension by an eighth."""


@dataclass
class GarbageRegistry:
    server: Server
    ecr: Any
    docker: Docker
    passed: int = 0
    """The time that has passed by `later`, for the sweeper: the ids of uploads have the time when they began."""

    def run(self, *words: str, extra: Mapping[str, str] | None = None) -> Ended:
        """Run `moorage` on the server's data folder, or with `extra` variables in a new process."""
        command = [*words, "--data", str(self.server.data)]
        if extra is None:
            return run_here(*command, variables=self.server.settings)
        return run_apart(self.server.data.parent, *command, variables={**self.server.settings, **extra})

    def collect(self, grace: int = DAY) -> list[GarbageItem]:
        """Collect while the server runs, as the command does. Returns what was collected."""
        collected: list[GarbageItem] = []

        async def run() -> None:
            database, blobs = engine_of(self.server.data).open(), FileBlobStore(self.server.data)
            database.start()
            try:
                rules = CollectionRules(grace=grace, share=1)
                await Collector(database, blobs, system_clock).collect(rules, collected.append)
                sweeper = Sweeper(database, blobs, blobs, lambda: system_clock() + self.passed)
                await sweeper.sweep(collected.append, share=1, dry_run=False)
            finally:
                database.close()
                blobs.close()

        asyncio.run(run())
        return collected

    def later(self, time: int = AFTER_GRACE) -> None:
        """Let this time pass for everything that waits for the end of a period."""
        self.passed += time
        for table, column in (
            ("repository_layer", "told_at"),
            ("removed_image", "removed_at"),
            ("removed_bytes", "due_at"),
            ("upload", "created_at"),
            ("finished_upload", "finished_at"),
        ):
            statement = f"UPDATE {table} SET {column} = {column} - :time"
            engine_of(self.server.data).transact(lambda tx, statement=statement: tx.run(statement, time=time))  # type: ignore[misc]  # a default binds the loop's value

    def rows(self, sql: str, **values: Any) -> list[tuple[Any, ...]]:
        return engine_of(self.server.data).transact(lambda tx: tx.all(sql, **values))

    def sees(self, repository: str, blob: Blob) -> bool:
        """Whether a repository has a layer. A GET, unlike a HEAD, does not restart the grace period."""
        answer = self.docker.get(f"/v2/{repository}/blobs/{blob.digest}")
        assert (answer.status, answer.body) == (200, blob.content) or answer.status == 404, answer
        return bool(answer.status == 200)

    def has_file(self, blob: Blob) -> bool:
        return bool(self.blob_files(blob))

    def blob_files(self, blob: Blob) -> list[Path]:
        algorithm, _, encoded = blob.digest.partition(":")
        return list((self.server.data / "blobs" / algorithm / encoded[:2]).glob(f"{encoded}-*"))

    def upload_file_exists(self, upload: str) -> bool:
        return (self.server.data / "uploads" / upload).exists()
