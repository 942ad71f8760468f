"""The audit log of the shared server, as records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import Server


class Trail:
    """The records that are written to an audit log from now on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._start = path.stat().st_size if path.exists() else 0

    def records(self) -> list[dict[str, Any]]:
        """The records of requests since the start. The server writes the record of a request before it answers."""
        return [record for record in self._all() if record["eventType"] != "MoorageCommand"]

    def commands(self) -> list[dict[str, Any]]:
        """The records of commands since the start."""
        return [record for record in self._all() if record["eventType"] == "MoorageCommand"]

    def _all(self) -> list[dict[str, Any]]:
        if not self.path.exists():
            return []
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
    """The records of the shared server during the test. No other test uses the server at the same time."""
    return Trail(server.data / "audit.jsonl")
