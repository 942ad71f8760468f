"""Readiness for writing: how many attempts to write are in progress when the disk does not respond."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from moorage.core import readiness
from moorage.core.readiness import Readiness
from moorage.metadata.database import Database
from moorage.telemetry import Log


class Reachable:
    async def is_reachable(self) -> bool:
        return True


class Disk:
    """A disk that does not respond until `responds` is set."""

    def __init__(self) -> None:
        self.attempts = 0
        self.responds = asyncio.Event()

    async def obstacle(self) -> str:
        self.attempts += 1
        await self.responds.wait()
        return ""


async def answer() -> None:
    """A blob store that is there."""


def test_requests_wait_for_one_attempt_to_write_however_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "STORE_SECONDS", 0.01)

    async def scenario() -> None:
        disk = Disk()
        checked = Readiness(cast("Database", Reachable()), answer, disk.obstacle, Log(requests=False))

        async def ask(times: int) -> set[bool]:
            return set(await asyncio.gather(*(checked.is_ready(for_writing=True) for _ in range(times))))

        assert (await ask(20), await ask(20), disk.attempts) == ({False}, {False}, 1)
        disk.responds.set()
        await asyncio.sleep(0)
        monkeypatch.setattr(readiness, "STORE_SECONDS", 60)
        assert (await ask(20), disk.attempts) == ({True}, 2)

    asyncio.run(scenario())
