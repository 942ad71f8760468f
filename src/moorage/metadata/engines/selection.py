"""Choose the engine of a database by its URL."""

from __future__ import annotations

import importlib
from pathlib import Path

from moorage.metadata.engines.engine import Engine
from moorage.metadata.engines.sqlite.engine import SqliteEngine


def engine_at(url: str | None, file: Path, connections: int) -> Engine:
    """PostgreSQL at `url`, else SQLite in `file`. Raises DatabaseUnusable for an address that is none."""
    if url is None:
        return SqliteEngine(file)
    # By its name: the embedded database does without, and commands start a tenth of a second sooner.
    postgres = importlib.import_module("moorage.metadata.engines.postgres.engine")
    engine: Engine = postgres.PostgresEngine(url, connections)
    return engine
