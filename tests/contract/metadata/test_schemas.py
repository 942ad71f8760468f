"""The schema: the same on both engines, migrated in one transaction, and rejected if it belongs to another program."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path
from typing import Any

import psycopg
import pytest

from moorage.domain.errors import Unavailable
from moorage.metadata.database import DatabaseUnusable, Transaction
from moorage.metadata.engines.engine import Engine
from moorage.metadata.engines.postgres import schema as schema_postgres
from moorage.metadata.engines.postgres.engine import PostgresEngine
from moorage.metadata.engines.sqlite.engine import SqliteEngine
from moorage.metadata.identity.sealed import SEALED
from moorage.metadata.migrations.scripts import schema_steps
from tests.support.postgres import cluster

_TYPES = {"INTEGER": "bigint", "TEXT": "text", "BLOB": "bytea"}


def test_both_engines_have_the_same_tables_and_columns(tmp_path: Path) -> None:
    embedded, postgres = SqliteEngine(tmp_path / "moorage.db"), PostgresEngine(cluster().new_database(), 2)
    embedded.prepare()

    columns = postgres.transact(_columns_of_postgres)
    assert columns == embedded.transact(_columns_of_sqlite)
    assert len({table for table, *_ in columns}) > 15


def test_both_engines_have_the_same_indexes(tmp_path: Path) -> None:
    embedded, postgres = SqliteEngine(tmp_path / "moorage.db"), PostgresEngine(cluster().new_database(), 2)
    embedded.prepare()
    listed = "SELECT indexname FROM pg_indexes WHERE schemaname = 'public' AND indexname NOT LIKE '%\\_key'"
    ours = "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"

    names = {row[0] for row in postgres.transact(lambda tx: tx.all(listed)) if not row[0].endswith("_pkey")}
    assert names == {row[0] for row in embedded.transact(lambda tx: tx.all(ours))}


def test_names_are_ordered_by_their_bytes_on_every_node(engine: Engine) -> None:
    """Pages at both endpoints are in lexical order and continue after the last name (distribution-spec, "Listing
    Tags").
    """

    def accounts(tx: Transaction) -> list[Any]:
        for name in ("b", "B", "_", "a-1", "a1", "a.1"):
            tx.run("INSERT INTO account (id, created_at) VALUES (:name, 2)", name=name)
        return [row[0] for row in tx.all("SELECT id FROM account WHERE id > :after ORDER BY id", after="B")]

    assert engine.transact(accounts) == ["_", "a-1", "a.1", "a1", "b"]


def test_migrations_are_numbered_without_a_gap() -> None:
    """Two steps of one number would be applied in an arbitrary order."""
    names = sorted(file.name for file in resources.files("moorage.metadata.migrations").iterdir())
    numbers = [name[:4] for name in names if name.endswith(".sql")]

    assert numbers == [f"{number:04}" for number in range(1, len(numbers) + 1)]


def test_an_empty_database_is_rejected_until_it_is_migrated() -> None:
    empty = PostgresEngine(cluster().new_database("template1"), 2)
    with pytest.raises(DatabaseUnusable, match="run `moorage migrate` first"):
        empty.prepare()
    known = len(schema_steps())

    assert empty.migrate() == (0, known)
    assert empty.migrate() == (known, known)
    empty.prepare()


def test_concurrent_migrations_wait_for_each_other() -> None:
    url = cluster().new_database("template1")
    with ThreadPoolExecutor(4) as threads:
        done = list(threads.map(lambda _: PostgresEngine(url, 2).migrate(), range(4)))

    known = len(schema_steps())
    assert sorted(done) == [(0, known), *[(known, known)] * 3]


def test_a_failed_step_leaves_nothing_behind() -> None:
    url = cluster().new_database("template1")
    with psycopg.connect(url, autocommit=True) as other:
        other.execute("CREATE TABLE tag (in_the_way INTEGER)")
        with pytest.raises(psycopg.errors.DuplicateTable):
            PostgresEngine(url, 2).migrate()
        tables = other.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()

    assert tables == [("tag",)]


@pytest.mark.parametrize("change", ["version = version - 1, oldest = oldest - 1", "version = 0, oldest = 0"])
def test_an_outdated_database_is_rejected_with_what_to_do(change: str) -> None:
    with pytest.raises(DatabaseUnusable, match="run `moorage migrate` first"):
        _changed(change).prepare()


def test_a_database_of_a_newer_program_is_rejected_and_not_migrated() -> None:
    newer = _changed("version = version + 1, oldest = version + 1")

    for use in (newer.prepare, newer.migrate, lambda: newer.transact(lambda _tx: None)):
        with pytest.raises(DatabaseUnusable, match="newer Moorage"):
            use()


def test_nodes_of_the_previous_version_continue_if_the_newer_one_allows_it() -> None:
    newer = _changed("version = version + 1")
    newer.prepare()

    with pytest.raises(DatabaseUnusable, match="newer Moorage"):
        newer.migrate()


def test_programs_must_know_a_step_unless_it_says_otherwise() -> None:
    harmless = schema_postgres._COMPATIBLE + "\nCREATE TABLE a (b TEXT);"

    assert schema_postgres.required_version(["", harmless, "", harmless, harmless]) == 3
    assert schema_postgres.required_version([]) == 0


def test_programs_must_know_every_column_that_is_encrypted() -> None:
    """`moorage master-key rotate` of a program before the step would leave these secrets with the former key."""
    columns = {column for _, column in SEALED}
    steps = [
        step for step in schema_steps() if any(re.search(rf"^ +{column} ", step, re.MULTILINE) for column in columns)
    ]

    assert len(steps) >= 5
    assert [step.splitlines()[0] for step in steps if step.startswith(schema_postgres._COMPATIBLE)] == []


@pytest.mark.parametrize("url", ["postgresql://127.0.0.1:1/nothing", "postgresql://postgres@nowhere.invalid/nothing"])
def test_a_database_that_does_not_respond_is_unavailable(url: str) -> None:
    with pytest.raises(Unavailable, match="is not available"):
        PostgresEngine(url, 2).prepare()


def test_an_invalid_address_is_rejected() -> None:
    with pytest.raises(DatabaseUnusable, match="invalid URI query parameter"):
        PostgresEngine("postgresql://127.0.0.1/moorage?colour=red", 2)


def _changed(change: str) -> PostgresEngine:
    """A database whose row about its schema differs."""
    url = cluster().new_database()
    with psycopg.connect(url) as other:
        other.execute(f"UPDATE schema_version SET {change}".encode())
    return PostgresEngine(url, 2)


def _columns_of_sqlite(tx: Transaction) -> list[tuple[Any, ...]]:
    tables = tx.all("SELECT name FROM sqlite_schema WHERE type = 'table'")
    found = [(table, *row) for (table,) in tables for row in tx.all(f"SELECT * FROM pragma_table_info('{table}')")]
    return sorted((table, name, _TYPES[kind], bool(given or key)) for table, _, name, kind, given, _, key in found)


def _columns_of_postgres(tx: Transaction) -> list[tuple[Any, ...]]:
    rows = tx.all(
        "SELECT table_name::text, column_name::text, data_type::text, is_nullable = 'NO'"
        " FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'schema_version'"
    )
    return sorted(rows)
