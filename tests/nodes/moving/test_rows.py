"""Rows of every table are migrated, including tables that later schema steps add."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import apsw
import pytest

from moorage.adapters.files.blob_store import FileBlobStore
from moorage.core.migration.blobs import MigrationEnd, Progress
from moorage.core.migration.rows import RowCopier
from moorage.core.own_store import OwnStore
from moorage.domain.errors import Unavailable
from moorage.metadata.database import Transaction
from moorage.metadata.engines.engine import Engine
from moorage.metadata.engines.postgres.engine import PostgresEngine
from moorage.metadata.engines.sqlite.engine import SqliteEngine
from moorage.metadata.migration import records
from moorage.metadata.migration.records import CopiedBlob
from moorage.metadata.migration.tables import Row, Table, insert, page, tables
from moorage.metadata.migrations.scripts import schema_steps
from tests.support.postgres import cluster

OF_THE_STORE = {"fetching", "own_store", "upload", "upload_state", "removed_bytes"}
OF_VERIFICATION = {"verification", "verification_finding", "verification_run"}
STAYING = {"changed_row", "move", "moved_blob", "rules", *OF_VERIFICATION, *OF_THE_STORE}
SINGLE_ROW = {"master_key", "own_store", "scanner_state"}
MADE = {"rules"}
"""Tables that have a row from the start."""


def engines(folder: Path) -> dict[str, Engine]:
    found: dict[str, Engine] = {
        "sqlite": SqliteEngine(folder / "moorage.db"),
        "postgresql": PostgresEngine(cluster().new_database(), 4),
    }
    found["sqlite"].prepare()
    return found


def rows_for(table: Table, schema: apsw.Connection, made: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Two rows for a table, the second with NULL where possible. They refer to rows that are `made`."""
    references = {
        column: (other, there or column)
        for _, _, other, column, there, *_ in schema.execute(f"PRAGMA foreign_key_list({table.name})")
    }
    found = []
    for number in (1,) if table.name in SINGLE_ROW else (1, 2):
        row: dict[str, Any] = {}
        for _, column, kind, given, _, key in schema.execute(f"PRAGMA table_info({table.name})"):
            row[column] = {"INTEGER": number, "TEXT": f"{column} Ä\t{number}", "BLOB": bytes([0, number, 255])}[
                str(kind)
            ]
            if number == 2 and not given and not key:
                row[column] = None
            if column in references:
                other, there = references[column]
                row[column] = made[str(other)][number - 1][str(there)]
        found.append(row)
    return found


def fill(tx: Transaction) -> None:
    """Rows in all tables, derived from the schema."""
    schema, made = apsw.Connection(":memory:"), dict[str, list[dict[str, Any]]]()
    for step in schema_steps():
        schema.execute(step)
    for table in (table for table in tables() if table.name not in MADE):
        made[table.name] = rows_for(table, schema, made)
        insert(tx, table, [tuple(row[column] for column in table.columns) for row in made[table.name]])
    schema.close()


def content(tx: Transaction) -> dict[str, list[Row]]:
    return {table.name: page(tx, table, None) for table in tables()}


def end(engine: Engine, store: FileBlobStore) -> MigrationEnd:
    database = engine.open()
    return MigrationEnd("a side", engine, database, store, store, OwnStore(database, store, "a store"))


def copy(source: Engine, target: Engine, folder: Path) -> list[str]:
    """Copy all rows. Returns the tables that differ."""

    async def run() -> list[str]:
        store = FileBlobStore(folder)
        first, second = (end(engine, store) for engine in (source, target))
        first.database.start()
        second.database.start()
        try:
            copier = RowCopier(first, second, Progress(), shared_store=False)
            expected = await copier.copy(is_logged=False)
            target.advance_sequences()
            return await copier.differences(expected)
        finally:
            first.database.close()
            second.database.close()
            store.close()

    return asyncio.run(run())


@pytest.mark.parametrize(("first", "second"), [("sqlite", "postgresql"), ("postgresql", "sqlite")])
def test_every_table_is_migrated_completely_unless_it_has_a_reason_to_stay(
    first: str, second: str, tmp_path: Path
) -> None:
    found = engines(tmp_path)
    source, target = found[first], found[second]
    source.transact(fill)
    expected = source.transact(content, during_migration=True)
    assert all(expected.values()), "a table without rows would be compared with nothing"
    note = CopiedBlob("storage_key Ä\t2", "the new key", "digest", 2)
    target.transact(lambda tx: records.record_blob(tx, note, "upload"))

    assert copy(source, target, tmp_path) == []

    arrived = target.transact(content)
    for table in tables():
        if table.name == "blob":
            whole = [
                tuple(note.key if value == note.source_key else value for value in row) for row in expected["blob"]
            ]
            assert arrived["blob"] == whole != expected["blob"]
        elif table.name not in STAYING:
            assert arrived[table.name] == expected[table.name], table.name
        elif table.name not in {"moved_blob", *MADE}:
            assert arrived[table.name] == [], table.name
    new = target.transact(
        lambda tx: tx.insert("INSERT INTO blob (digest, size, storage_key, created_at) VALUES ('d', 1, 'k', 1)")
    )
    assert new == 3


def test_a_blob_that_is_missing_at_the_target_stops_the_rows(tmp_path: Path) -> None:
    found = engines(tmp_path)
    found["sqlite"].transact(fill)

    with pytest.raises(Unavailable, match="storage_key Ä\t2 of a side is missing at a side"):
        copy(found["sqlite"], found["postgresql"], tmp_path)


def test_rows_that_differ_at_the_target_are_found(tmp_path: Path) -> None:
    """As if another program had written there meanwhile."""
    found = engines(tmp_path)
    source, target = found["sqlite"], found["postgresql"]
    source.transact(fill)
    target.transact(lambda tx: records.record_blob(tx, CopiedBlob("storage_key Ä\t2", "new", "digest", 2), "upload"))
    target.transact(lambda tx: tx.run("INSERT INTO account (id, created_at) VALUES ('another', 7)"))

    assert copy(source, target, tmp_path) == ["account"]


def test_the_tables_that_stay_are_part_of_the_schema() -> None:
    every = {table.name for table in tables()}

    assert every >= STAYING
    assert {table.name for table in records.copied_tables(shared_store=False)} == every - STAYING
    assert {table.name for table in records.copied_tables(shared_store=True)} == every - (STAYING - OF_THE_STORE)
