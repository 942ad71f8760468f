"""The embedded database: snapshots, shared commits, and what may be remembered between them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path

import apsw
import pytest

from moorage.domain.errors import RepositoryNotFound
from moorage.metadata.database import Database, DatabaseUnusable, Transaction
from moorage.metadata.generation import Generation
from moorage.metadata.schema import migrate
from moorage.metadata.sqlite import SqliteDatabase, open_writer


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "moorage.db"
    migrate(path)
    return path


@pytest.fixture
def opened(path: Path) -> Iterator[Callable[[], Database]]:
    databases = []

    def open_one() -> Database:
        database = SqliteDatabase(path)
        database.start()
        databases.append(database)
        return database

    yield open_one
    for database in databases:
        database.close()


def add(account: str) -> Callable[[Transaction], int]:
    return lambda tx: tx.run("INSERT INTO account (id, created_at) VALUES (:id, 1)", id=account)


def count(tx: Transaction) -> int:
    row = tx.one("SELECT count(*) FROM account")
    return int(row[0]) if row else 0


def test_what_one_process_commits_no_other_one_recalls_otherwise(opened: Callable[[], Database]) -> None:
    """Two `Database` objects stand for two processes; what was remembered ends with the commit, before its answer."""
    one, other = opened(), opened()

    async def run() -> list[int]:
        seen = []
        for number in range(50):
            seen.append(await other.recall("accounts", count))
            seen.append(await other.recall("accounts", count))
            await one.write(add(f"{number:012}"))
        return seen

    assert asyncio.run(run()) == [number for number in range(50) for _ in range(2)]


def test_what_is_remembered_is_not_looked_up_again(opened: Callable[[], Database]) -> None:
    database, looks = opened(), []

    def look(tx: Transaction) -> int:
        looks.append(1)
        return count(tx)

    async def run() -> None:
        for _ in range(10):
            await database.recall("accounts", look)
        await database.recall("other accounts", look)

    asyncio.run(run())

    assert len(looks) == 2


def test_nothing_is_remembered_that_is_not_there_or_not_worth_it(opened: Callable[[], Database]) -> None:
    database, looks = opened(), []

    def look(tx: Transaction) -> int | None:
        looks.append(1)
        return None

    def large(tx: Transaction) -> int:
        looks.append(1)
        return count(tx)

    async def run() -> None:
        for _ in range(3):
            await database.recall("absent", look)
            await database.recall("large", large, keep=lambda _: False)

    asyncio.run(run())

    assert len(looks) == 6


def test_a_writer_that_died_in_its_commit_leaves_nothing_to_remember_until_the_next_one(
    path: Path, opened: Callable[[], Database]
) -> None:
    database, looks = opened(), []
    generation = Generation(path.with_suffix(".generation"))
    generation.begin()

    def look(tx: Transaction) -> int:
        looks.append(1)
        return count(tx)

    async def run() -> None:
        await database.recall("accounts", look)
        await database.recall("accounts", look)
        await database.write(add("000000000001"))
        assert await database.recall("accounts", look) == 1
        await database.recall("accounts", look)

    asyncio.run(run())
    generation.close()

    assert len(looks) == 3


def test_requests_that_wait_share_a_commit_and_a_refused_one_undoes_only_itself(opened: Callable[[], Database]) -> None:
    database = opened()

    def refuse(tx: Transaction) -> int:
        add("999999999999")(tx)
        raise RepositoryNotFound(repository="team/app", registry="000000000000")

    async def run() -> list[object]:
        works = [add(f"{number:012}") for number in range(100)]
        works.insert(50, refuse)
        return list(await asyncio.gather(*map(database.write, works), return_exceptions=True))

    answers = asyncio.run(run())

    assert isinstance(answers.pop(50), RepositoryNotFound)
    assert answers == [1] * 100
    assert database.look(count) == 100


def test_a_reader_keeps_its_snapshot_while_others_commit(path: Path, opened: Callable[[], Database]) -> None:
    database = opened()

    def twice(tx: Transaction) -> tuple[int, int]:
        before = count(tx)
        with open_writer(path) as writer:
            writer.now(add("000000000001"))
        return before, count(tx)

    assert database.look(twice) == (0, 0)
    assert database.look(count) == 1


def test_a_snapshot_stays_as_it_is_while_others_write(opened: Callable[[], Database]) -> None:
    database = opened()

    async def run() -> list[int]:
        async with database.snapshot() as state:
            seen = [await state.read(count)]
            await database.write(add("000000000001"))
            seen.append(await state.read(count))
            with pytest.raises(apsw.ReadOnlyError):
                await state.read(add("000000000002"))
        return [*seen, await database.read(count)]

    assert asyncio.run(run()) == [0, 0, 1]


def test_readers_cannot_write(opened: Callable[[], Database]) -> None:
    with pytest.raises(apsw.ReadOnlyError):
        opened().look(add("000000000001"))


def test_foreign_keys_and_full_synchronisation_are_on(path: Path) -> None:
    with open_writer(path) as writer:
        values = writer.now(lambda tx: [tx.one(f"PRAGMA {name}") for name in ("foreign_keys", "synchronous")])

    assert values == [(1,), (2,)]


def test_a_database_of_a_newer_program_is_refused(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA user_version = 999")
    connection.close()

    with pytest.raises(DatabaseUnusable, match="newer Moorage"):
        migrate(path)


def test_migrating_twice_changes_nothing(path: Path) -> None:
    before = _schema(path)

    assert migrate(path) == migrate(path)
    assert _schema(path) == before


def _schema(path: Path) -> list[object]:
    connection = apsw.Connection(str(path))
    rows = connection.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall()
    connection.close()
    return list(rows)


def test_migrations_are_numbered_without_a_gap() -> None:
    """Two steps of one number would be applied in an order that nobody chose."""
    names = sorted(file.name for file in resources.files("moorage.metadata.migrations").iterdir())
    numbers = [name[:4] for name in names if name.endswith(".sql")]

    assert numbers == [f"{number:04}" for number in range(1, len(numbers) + 1)]
