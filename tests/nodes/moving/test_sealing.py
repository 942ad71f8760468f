"""A sealed database rejects every change with a message and can be read. An unsealed database is not affected."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from moorage.domain.errors import Unavailable
from moorage.metadata.database import DatabaseUnusable, Transaction
from moorage.metadata.engines.engine import Engine
from moorage.metadata.engines.postgres.engine import PostgresEngine
from moorage.metadata.engines.sqlite.engine import SqliteEngine
from moorage.metadata.identity import accounts as identities
from moorage.metadata.migration import records
from moorage.metadata.migration.records import MigrationRecord
from moorage.metadata.migration.tables import tables
from tests.support.postgres import cluster


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    if request.param == "postgresql":
        return PostgresEngine(cluster().new_database(), 4)
    embedded = SqliteEngine(tmp_path / "moorage.db")
    embedded.prepare()
    return embedded


def add(tx: Transaction) -> None:
    identities.insert_account(tx, "1" * 12, 1)


def count(tx: Transaction) -> int:
    return len(tx.all("SELECT id FROM account"))


def test_open_connections_and_commands_cannot_change_a_sealed_database(engine: Engine) -> None:
    async def run() -> None:
        database = engine.open()
        database.start()
        try:
            await database.write(lambda tx: identities.insert_account(tx, "2" * 12, 1))
            engine.seal(lambda tx: records.insert(tx, MigrationRecord(records.SOURCE, "m", records.SEALED, "there", 1)))
            for refused in (
                add,
                lambda tx: tx.run("DELETE FROM account"),
                lambda tx: tx.run("UPDATE account SET id = '3'"),
            ):
                with pytest.raises(Unavailable, match="accepts no changes here"):
                    await database.write(refused)
                with pytest.raises(Unavailable, match="accepts no changes here"):
                    engine.transact(refused)
            assert await database.read(count) == 1
            engine.unseal(lambda tx: records.forget(tx, records.SOURCE))
            await database.write(add)
            assert await database.read(count) == 2
        finally:
            database.close()

    asyncio.run(run())


def test_every_table_is_sealed(engine: Engine) -> None:
    engine.seal(lambda tx: None)

    for table in tables():
        columns = [column for column in table.columns if column not in table.key]
        values = ", ".join("NULL" if column in columns else "0" for column in table.columns)
        statement = f"INSERT INTO {table.name} ({', '.join(table.columns)}) VALUES ({values})"
        expected = Exception if table.name == "move" else Unavailable
        with pytest.raises(expected) as refused:
            engine.transact(lambda tx, statement=statement: tx.run(statement))  # type: ignore[misc]  # a default binds the loop's value
        assert ("accepts no changes" in str(refused.value)) is (table.name != "move")


def test_an_unfinished_target_is_only_usable_by_its_migration(engine: Engine) -> None:
    begun = MigrationRecord(records.TARGET, "m", records.UNFINISHED, "the folder over there", 1)
    engine.transact(lambda tx: records.insert(tx, begun))

    for use in (engine.prepare, lambda: engine.transact(count)):
        with pytest.raises(
            DatabaseUnusable, match="unfinished target of a migration from the folder over there: run the same"
        ):
            use()
    assert engine.transact(lambda tx: records.find(tx, records.TARGET), during_migration=True) == begun

    engine.transact(lambda tx: records.set_state(tx, records.TARGET, records.COMPLETE), during_migration=True)
    engine.prepare()
