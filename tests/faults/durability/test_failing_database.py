"""The disk refuses what SQLite writes: whoever asked is told so, nobody else is, and the next request is served."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from moorage.domain.errors import Unavailable
from moorage.metadata.database import Transaction
from moorage.metadata.engines.sqlite.database import SqliteDatabase
from moorage.metadata.engines.sqlite.schema import migrate


class Faults:
    """Which of the writes and syncs to come fails, and how."""

    def __init__(self) -> None:
        self.left = 0
        self.error: type[apsw.Error] = apsw.IOError

    def fail_at(self, number: int, error: type[apsw.Error]) -> None:
        self.left, self.error = number, error

    @property
    def happened(self) -> bool:
        return self.left <= 0

    def pass_one(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise self.error("injected")


class FaultyFile(apsw.VFSFile):
    def __init__(self, faults: Faults, base: str, name: Any, flags: list[int]) -> None:
        self._faults = faults
        super().__init__(base, name, flags)

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802 - SQLite's names
        self._faults.pass_one()
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802 - apsw's name
        self._faults.pass_one()
        super().xSync(flags)


class FaultyDisk(apsw.VFS):
    """SQLite's own files, with faults; the default for connections opened while it is there."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._below = "unix"
        super().__init__("faulty", self._below, makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - apsw's name
        return FaultyFile(self._faults, self._below, name, flags)


@pytest.fixture
def faults() -> Iterator[Faults]:
    faults = Faults()
    disk = FaultyDisk(faults)
    yield faults
    disk.unregister()


def add(number: int) -> Any:
    def work(tx: Transaction) -> int:
        return tx.insert("INSERT INTO account (id, created_at) VALUES (:id, 0)", id=str(number))

    return work


def accounts(database: SqliteDatabase) -> set[int]:
    return {int(row[0]) for row in database.read_blocking(lambda tx: tx.all("SELECT id FROM account"))}


@pytest.mark.parametrize(
    ("error", "answer"),
    [(apsw.FullError, Unavailable), (apsw.IOError, apsw.IOError), (apsw.CorruptError, apsw.CorruptError)],
)
def test_after_a_write_or_sync_that_fails_the_next_transaction_is_served(
    tmp_path: Path, faults: Faults, error: type[apsw.Error], answer: type[Exception]
) -> None:
    """Every write and sync of a commit fails once. What was acknowledged is there, what was refused is not."""
    path = tmp_path / "moorage.db"
    migrate(path)
    numbers = itertools.count(1)
    there: set[int] = set()

    async def scenario(database: SqliteDatabase) -> None:
        database.start()
        there.add(next(numbers))
        await database.write(add(1))
        for failing in itertools.count(1):
            number = next(numbers)
            faults.fail_at(failing, error)
            try:
                await database.write(add(number))
            except answer:
                assert faults.happened
            else:
                there.add(number)
            surfaced = faults.happened
            faults.fail_at(0, error)
            assert accounts(database) == there, f"write or sync number {failing}"
            number = next(numbers)
            await database.write(add(number))
            there.add(number)
            if not surfaced:
                return

    database = SqliteDatabase(path)
    asyncio.run(scenario(database))
    database.close()
    reopened = SqliteDatabase(path)
    assert accounts(reopened) == there
    assert reopened.read_blocking(lambda tx: tx.one("PRAGMA integrity_check")) == ("ok",)
    reopened.close()


def test_a_full_disk_in_the_middle_of_a_large_transaction_is_told_as_unavailable(
    tmp_path: Path, faults: Faults
) -> None:
    """More than the page cache holds is written before the commit: SQLite then rolls back by itself."""
    path = tmp_path / "moorage.db"
    migrate(path)

    def fill(tx: Transaction) -> None:
        tx.run("PRAGMA cache_size = 10")
        for number in range(2_000):
            tx.run("INSERT INTO account (id, created_at) VALUES (:id, 0)", id=f"{number:01000d}")

    async def scenario(database: SqliteDatabase) -> None:
        database.start()
        faults.fail_at(50, apsw.FullError)
        with pytest.raises(Unavailable):
            await database.write(fill)
        await database.write(add(1))

    database = SqliteDatabase(path)
    asyncio.run(scenario(database))
    assert accounts(database) == {1}
    database.close()


def test_what_another_request_of_the_same_batch_did_wrong_is_its_own_affair(tmp_path: Path) -> None:
    path = tmp_path / "moorage.db"
    migrate(path)

    async def scenario(database: SqliteDatabase) -> list[Any]:
        jobs = [database.write(add(number)) for number in (1, 2, 2, 3)]
        gathered = asyncio.gather(*jobs, return_exceptions=True)
        await asyncio.sleep(0)  # all are in the queue
        database.start()
        return list(await gathered)

    database = SqliteDatabase(path)
    results = asyncio.run(scenario(database))

    assert [isinstance(result, apsw.ConstraintError) for result in results] == [False, False, True, False]
    assert accounts(database) == {1, 2, 3}
    database.close()


def test_every_connection_syncs_its_commits_and_holds_foreign_keys(tmp_path: Path) -> None:
    """What P1 and P3 rest on: `synchronous=FULL` (2) in a write-ahead log, and references that are checked."""
    path = tmp_path / "moorage.db"
    migrate(path)
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "trusted_schema": 0, "cell_size_check": 1}

    def settings(tx: Transaction) -> dict[str, Any]:
        return {name: (tx.one(f"PRAGMA {name}") or [None])[0] for name in wanted}

    async def scenario(database: SqliteDatabase) -> None:
        database.start()
        assert await database.write(settings) == wanted
        assert await database.read(settings) == wanted

    database = SqliteDatabase(path)
    asyncio.run(scenario(database))
    database.close()
