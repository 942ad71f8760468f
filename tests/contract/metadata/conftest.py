"""Each contract test runs on both engines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from moorage.metadata.database import Database
from moorage.metadata.engines.engine import Engine
from moorage.metadata.engines.postgres.engine import PostgresEngine
from moorage.metadata.engines.sqlite.engine import SqliteEngine
from tests.support.postgres import cluster

OpenDatabase = Callable[[], Database]


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    """An empty database with the newest schema."""
    if request.param == "postgresql":
        return PostgresEngine(cluster().new_database(), 8)
    embedded = SqliteEngine(tmp_path / "moorage.db")
    embedded.prepare()
    return embedded


@pytest.fixture
def opened(engine: Engine) -> Iterator[OpenDatabase]:
    """Opens the database again, as another process does."""
    databases = []

    def open_one() -> Database:
        database = engine.open()
        database.start()
        databases.append(database)
        return database

    yield open_one
    for database in databases:
        database.close()
