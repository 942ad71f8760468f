"""The embedded database: what is specific to SQLite, and the schema of its file."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from moorage.metadata.database import CachedUntil, DatabaseUnusable, Lookup, Transaction
from moorage.metadata.engines.sqlite.database import SqliteDatabase
from moorage.metadata.engines.sqlite.generation import Generation
from moorage.metadata.engines.sqlite.schema import migrate
from moorage.metadata.engines.sqlite.writer import open_writer
from tests.contract.metadata.test_database import add, count


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "moorage.db"
    migrate(path)
    return path


@pytest.mark.parametrize("until", CachedUntil)
def test_a_writer_that_died_in_its_commit_leaves_nothing_to_cache_until_the_next_one(
    path: Path, until: CachedUntil
) -> None:
    database, looks = SqliteDatabase(path), []
    database.start()
    generation = Generation(path.with_suffix(".generation"), writable=True)
    generation.begin(until)

    def read_blocking(tx: Transaction) -> int:
        looks.append(1)
        return count(tx)

    async def run() -> None:
        await database.read_cached(Lookup("accounts", read_blocking, until=until))
        await database.read_cached(Lookup("accounts", read_blocking, until=until))
        await database.write(add("000000000001"))
        assert await database.read_cached(Lookup("accounts", read_blocking, until=until)) == 1
        await database.read_cached(Lookup("accounts", read_blocking, until=until))

    with closing(database):
        asyncio.run(run())
    generation.close()

    assert len(looks) == 3


def test_foreign_keys_and_full_synchronisation_are_on(path: Path) -> None:
    with open_writer(path) as writer:
        values = writer.transact(lambda tx: [tx.one(f"PRAGMA {name}") for name in ("foreign_keys", "synchronous")])

    assert values == [(1,), (2,)]


def test_a_database_file_of_a_newer_program_is_rejected(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA user_version = 999")
    connection.close()

    with pytest.raises(DatabaseUnusable, match="newer Moorage"):
        migrate(path)


def test_migrating_twice_changes_nothing(path: Path) -> None:
    before = _schema(path)

    _, version = migrate(path)
    assert migrate(path) == (version, version)
    assert _schema(path) == before


def _schema(path: Path) -> list[object]:
    connection = apsw.Connection(str(path))
    rows = connection.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall()
    connection.close()
    return list(rows)
