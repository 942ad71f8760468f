"""What changes while rows are copied: both engines log it, and the target gets it, in every table."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from moorage import failpoints
from moorage.adapters.files.blob_store import FileBlobStore
from moorage.core.migration.blobs import MigrationEnd, Progress
from moorage.core.migration.changes import ChangeCopier
from moorage.core.migration.rows import RowCopier
from moorage.domain.errors import Unavailable
from moorage.metadata.database import Transaction
from moorage.metadata.engines.engine import Engine
from moorage.metadata.migration import changed_rows, records, tables
from moorage.metadata.migration.records import CopiedBlob
from moorage.metadata.migration.tables import Row, Table
from tests.nodes.moving import test_rows
from tests.nodes.moving.test_rows import end, engines


def file_key(number: int) -> str:
    """A storage key as the store makes them."""
    return f"blobs/sha256/00/{number:064x}-{uuid.UUID(int=number)}"


COPIED = records.copied_tables(shared_store=False)
NOTES = [CopiedBlob(f"storage_key Ä\t{number}", file_key(number), f"digest Ä\t{number}", number) for number in (1, 2)]
"""Copies of the blobs of the source."""

Route = tuple[Engine, Engine, Path]


@pytest.fixture(params=[("sqlite", "postgresql"), ("postgresql", "sqlite")], ids="-to-".join)
def route(request: pytest.FixtureRequest, tmp_path: Path) -> Route:
    """A source with two rows in each table, and an empty target."""
    first, second = request.param
    found = engines(tmp_path)
    source, target = found[first], found[second]
    source.transact(test_rows.fill)
    for note in NOTES:
        add_copy(target, tmp_path, note)
    return source, target, tmp_path


def add_copy(target: Engine, folder: Path, copy: CopiedBlob) -> None:
    """A copy of a blob at the target."""
    (folder / copy.key).parent.mkdir(parents=True, exist_ok=True)
    (folder / copy.key).write_bytes(b"")
    target.transact(lambda tx: records.record_blob(tx, copy, "upload"), during_migration=True)


@pytest.fixture
def failing() -> Iterator[None]:
    """The third change of rows at the target fails, once."""
    failpoints.arm("T9=error:3")
    yield
    failpoints.arm("T9=error:1000000")


@asynccontextmanager
async def both(route: Route) -> AsyncIterator[tuple[MigrationEnd, MigrationEnd]]:
    source, target, folder = route
    store = FileBlobStore(folder)
    ends = end(source, store), end(target, store)
    for one in ends:
        one.database.start()
    try:
        yield ends
    finally:
        for one in ends:
            one.database.close()
        store.close()


def follow(route: Route, change: Callable[[Transaction], object], *, is_last: bool = True) -> None:
    """Copy all rows, make a change at the source, and copy it."""

    async def run() -> None:
        async with both(route) as (source, target):
            rows = RowCopier(source, target, Progress(), shared_store=False)
            await rows.clear()
            route[0].log_changes(COPIED)
            assert await rows.differences(await rows.copy(is_logged=True)) == []
            await source.database.write(change)
            await _copy(source, target, is_last=is_last)

    asyncio.run(run())


async def _copy(source: MigrationEnd, target: MigrationEnd, *, is_last: bool) -> None:
    await ChangeCopier(source, target, Progress(), shared_store=False).copy(is_last=is_last)


def copy_again(route: Route, *, is_last: bool) -> None:
    async def run() -> None:
        async with both(route) as ends:
            await _copy(*ends, is_last=is_last)

    asyncio.run(run())


def content(engine: Engine) -> dict[str, list[Row]]:
    """All rows of the copied tables, with the storage keys of the source."""
    keys = {note.key: note.source_key for note in NOTES}
    read = engine.transact(
        lambda tx: {table.name: tables.page(tx, table, None) for table in COPIED}, during_migration=True
    )
    read["blob"] = [
        tuple(keys.get(value, value) if isinstance(value, str) else value for value in row) for row in read["blob"]
    ]
    return read


def changed(table: Table, row: Row) -> Row:
    """The row with other values, but for its key and what unique indexes and references need."""
    kept = {*table.key, *(index.text for index in table.unique)}
    return tuple(
        value + 7 if isinstance(value, int) and column not in kept and not column.endswith("_id") else value
        for column, value in zip(table.columns, row, strict=True)
    )


def test_changes_of_rows_in_every_table_are_logged_and_copied(route: Route) -> None:
    def change(tx: Transaction) -> None:
        for table in COPIED:
            tables.update(tx, table, [changed(table, row) for row in tables.page(tx, table, None)])

    follow(route, change)

    logged = route[0].transact(changed_rows.changed_tables)
    assert logged == {table.name for table in COPIED if set(table.columns) != set(table.key)}
    assert content(route[1]) == content(route[0])


def test_rows_that_are_deleted_and_come_back_are_copied(route: Route) -> None:
    """All rows of all tables, in the orders that the references need."""
    before = content(route[0])

    def delete(tx: Transaction) -> None:
        for table in reversed(COPIED):
            tables.delete(tx, table, [table.key_of(row) for row in tables.page(tx, table, None)])

    follow(route, delete, is_last=False)

    assert not any(content(route[1]).values())
    assert not any(path.is_file() for path in (route[2] / "blobs").rglob("*")), "copies of blobs that are gone, go"
    for note in NOTES:
        add_copy(route[1], route[2], note)
    for table in COPIED:
        route[0].transact(partial(tables.insert, table=table, rows=before[table.name]))
    copy_again(route, is_last=True)
    assert content(route[1]) == content(route[0]) == before


def test_what_a_deletion_takes_with_it_is_copied(route: Route) -> None:
    follow(route, lambda tx: tx.run("DELETE FROM repository WHERE id = 1"))

    assert len(content(route[1])["image"]) == 1
    assert content(route[1]) == content(route[0])


def test_rows_that_exchange_a_unique_value_are_copied(route: Route) -> None:
    """As names of repositories, one of which was deleted and another undeleted."""

    def exchange(tx: Transaction) -> None:
        names = [row[0] for row in tx.all("SELECT name FROM repository ORDER BY id")]
        for number, name in ((1, "apart"), (2, names[0]), (1, names[1])):
            tx.run(
                "UPDATE repository SET name = :name, account = '1', region = 'r' WHERE id = :id", name=name, id=number
            )

    follow(route, exchange)

    assert content(route[1]) == content(route[0])


def test_a_row_whose_key_changes_is_copied(route: Route) -> None:
    follow(route, lambda tx: tx.run("UPDATE tag SET name = 'renamed' WHERE repository_id = 1"))

    assert ("renamed" in {row[1] for row in content(route[1])["tag"]}) is True
    assert content(route[1]) == content(route[0])


@pytest.mark.usefixtures("failing")
def test_a_pass_that_failed_is_repeated(route: Route) -> None:
    def change(tx: Transaction) -> None:
        tx.run("DELETE FROM repository WHERE id = 2")
        tx.run("UPDATE image SET size = size + 1")
        tx.run("INSERT INTO account (id, created_at) VALUES ('new', 1)")
        tx.run("UPDATE tag SET tagged_at = 77")

    with pytest.raises(OSError, match="failpoint"):
        follow(route, change, is_last=False)

    assert content(route[1]) != content(route[0])
    copy_again(route, is_last=False)
    assert content(route[1]) == content(route[0])


def test_entries_leave_the_log_when_they_are_copied_unless_a_blob_waits_for_its_bytes(route: Route) -> None:
    def change(tx: Transaction) -> None:
        tx.run("UPDATE image SET size = size + 1")
        tx.run("INSERT INTO blob (id, digest, size, storage_key, created_at) VALUES (9, 'd', 1, 'new', 1)")
        tx.run("INSERT INTO repository_layer (repository_id, blob_id, linked_at, told_at) VALUES (1, 9, 1, 1)")

    follow(route, change, is_last=False)

    left: list[tuple[Any, ...]] = route[0].transact(lambda tx: tx.all("SELECT table_name, row_key FROM changed_row"))
    assert left == [("blob", "[9]")]
    with pytest.raises(Unavailable, match="new of a side is missing at a side"):
        copy_again(route, is_last=True)
    add_copy(route[1], route[2], CopiedBlob("new", file_key(9), "d", 1))
    copy_again(route, is_last=True)
    assert route[1].transact(lambda tx: tx.one("SELECT storage_key FROM blob WHERE id = 9")) == (file_key(9),)


def test_nothing_is_logged_before_a_migration_and_after_it_was_given_up(route: Route) -> None:
    source = route[0]

    def log() -> tuple[Any, ...] | None:
        source.transact(lambda tx: tx.run("UPDATE image SET size = size + 1"))
        return source.transact(lambda tx: tx.one("SELECT count(*) FROM changed_row WHERE table_name = 'image'"))

    assert log() == (0,)
    source.log_changes(COPIED)
    assert log() == (2,)
    source.log_changes(COPIED)
    assert log() == (2,), "a log begins empty"
    source.stop_log()
    assert log() == (0,)
