"""The audit log of a server, as records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import Server


class Trail:
    """The records of a file from now on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._start = path.stat().st_size if path.exists() else 0

    def records(self) -> list[dict[str, Any]]:
        """All that were written since; an answer goes out after its record was made, and the file has it at once."""
        with self.path.open("rb") as file:
            file.seek(self._start)
            return [json.loads(line) for line in file]

    def names(self) -> list[str]:
        return [record["eventName"] for record in self.records()]

    def only(self) -> dict[str, Any]:
        (record,) = self.records()
        return record


@pytest.fixture
def trail(server: Server) -> Trail:
    """What the shared server records during the test. It has one test at a time, and reads are not recorded."""
    return Trail(server.data / "audit.jsonl")
