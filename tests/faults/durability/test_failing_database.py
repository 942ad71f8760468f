"""The disk rejects SQLite's writes: the affected request fails, no other request does, and the next one succeeds."""

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
from moorage.metadata.engines.sqlite.failures import MEDIUM_FAILURES, translated
from moorage.metadata.engines.sqlite.schema import migrate


class Faults:
    """Which of the next writes and syncs fails, and how."""

    def __init__(self) -> None:
        self.remaining = 0
        self.error: type[apsw.Error] = apsw.IOError

    def fail_at(self, number: int, error: type[apsw.Error]) -> None:
        self.remaining, self.error = number, error

    @property
    def happened(self) -> bool:
        return self.remaining <= 0

    def pass_one(self) -> None:
        self.remaining -= 1
        if self.remaining == 0:
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
    """SQLite's own files, with faults. The default VFS for connections that are opened while it is registered."""

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


@pytest.mark.parametrize("error", [apsw.FullError, apsw.IOError, apsw.CorruptError, apsw.ReadOnlyError])
def test_after_a_failed_write_or_sync_the_next_transaction_succeeds(
    tmp_path: Path, faults: Faults, error: type[apsw.Error]
) -> None:
    """Each write and sync of a commit fails once. Acknowledged rows exist, and rejected rows do not."""
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
            except Unavailable:
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


def test_a_full_disk_in_the_middle_of_a_large_transaction_is_unavailable(tmp_path: Path, faults: Faults) -> None:
    """The transaction writes more than the page cache holds before its commit. SQLite then rolls back by itself."""
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


def test_an_error_in_one_request_does_not_affect_others_of_its_batch(tmp_path: Path) -> None:
    path = tmp_path / "moorage.db"
    migrate(path)

    async def scenario(database: SqliteDatabase) -> list[Any]:
        jobs = [database.write(add(number)) for number in (1, 2, 2, 3)]
        gathered = asyncio.gather(*jobs, return_exceptions=True)
        await asyncio.sleep(0)  # All are in the queue.
        database.start()
        return list(await gathered)

    database = SqliteDatabase(path)
    results = asyncio.run(scenario(database))

    assert [isinstance(result, apsw.ConstraintError) for result in results] == [False, False, True, False]
    assert accounts(database) == {1, 2, 3}
    database.close()


def test_every_connection_syncs_its_commits_and_checks_foreign_keys(tmp_path: Path) -> None:
    """P1 and P3 rely on `synchronous=FULL` (2) in a write-ahead log, and on foreign key checks."""
    path = tmp_path / "moorage.db"
    migrate(path)
    expected = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "trusted_schema": 0, "cell_size_check": 1}

    def settings(tx: Transaction) -> dict[str, Any]:
        return {name: (tx.one(f"PRAGMA {name}") or [None])[0] for name in expected}

    async def scenario(database: SqliteDatabase) -> None:
        database.start()
        assert await database.write(settings) == expected
        assert await database.read(settings) == expected

    database = SqliteDatabase(path)
    asyncio.run(scenario(database))
    database.close()


OF_STATEMENTS = {
    apsw.AbortError,
    apsw.AuthError,
    apsw.BusyError,
    apsw.ConstraintError,
    apsw.EmptyError,
    apsw.FormatError,
    apsw.InternalError,
    apsw.InterruptError,
    apsw.LockedError,
    apsw.MismatchError,
    apsw.MisuseError,
    apsw.NoMemError,
    apsw.NotFoundError,
    apsw.RangeError,
    apsw.SchemaChangeError,
    apsw.SQLError,
    apsw.TooBigError,
}
"""Result codes of SQLite that say something of a statement or its program, not of the file."""


def test_every_result_code_of_sqlite_is_a_failure_of_the_file_or_an_error_of_a_statement() -> None:
    """A code that a new SQLite adds must be placed, so that it does not end as an internal error of each request."""
    found = {kind for kind in vars(apsw).values() if isinstance(kind, type) and issubclass(kind, apsw.Error)}
    of_results = {kind for kind in found if getattr(apsw, f"SQLITE_{_code(kind)}", None) is not None}

    assert of_results == OF_STATEMENTS | set(MEDIUM_FAILURES)
    for kind in MEDIUM_FAILURES:
        assert isinstance(translated(kind("no")), Unavailable)


def _code(kind: type[apsw.Error]) -> str:
    """The name of SQLite's code for an exception of apsw."""
    name = kind.__name__.removesuffix("Error").upper()
    return {"SQL": "ERROR", "IO": "IOERR", "SCHEMACHANGE": "SCHEMA", "PERMISSIONS": "PERM"}.get(name, name)
