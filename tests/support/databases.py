"""The database engine of the tests: SQLite, or PostgreSQL with MOORAGE_TEST_DATABASE=postgresql."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Final

from moorage.metadata.engines.engine import Engine
from moorage.metadata.engines.selection import engine_at
from tests.support.postgres import cluster

ON_POSTGRESQL: Final = os.environ.get("MOORAGE_TEST_DATABASE") == "postgresql"

CONNECTIONS: Final = 4


@functools.cache
def database_settings(folder: Path) -> dict[str, str]:
    """The variables that a server or a command needs to find the database of this data folder."""
    return {"MOORAGE_DATABASE": cluster().new_database()} if ON_POSTGRESQL else {}


def engine_of(folder: Path) -> Engine:
    """The database of this data folder, which the first call creates."""
    engine = engine_at(database_settings(folder).get("MOORAGE_DATABASE"), folder / "moorage.db", CONNECTIONS)
    engine.prepare()
    return engine


def tables() -> str:
    """A statement that lists the tables of the schema."""
    if ON_POSTGRESQL:
        return (
            "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'schema_version'"
            " ORDER BY tablename"
        )
    return "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"
