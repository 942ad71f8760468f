"""Selection of the engine of a database by its URL."""

from __future__ import annotations

import importlib
from pathlib import Path

from moorage.metadata.engines.engine import Engine
from moorage.metadata.engines.sqlite.engine import SqliteEngine


def engine_at(url: str | None, file: Path, connections: int) -> Engine:
    """PostgreSQL at `url` if there is one, else SQLite in `file`. Raises DatabaseUnusable for an invalid URL."""
    if url is None:
        return SqliteEngine(file)
    # Imported late: with SQLite the module is not needed, and commands start a tenth of a second sooner.
    postgres = importlib.import_module("moorage.metadata.engines.postgres.engine")
    engine: Engine = postgres.PostgresEngine(url, connections)
    return engine
