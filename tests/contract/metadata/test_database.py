"""The guarantees of a database of either engine: snapshots, transactions, and cached lookups."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import apsw
import pytest

from moorage.domain.errors import Unavailable
from moorage.domain.registry.errors import RepositoryNotFound
from moorage.metadata.database import Lookup, Transaction
from moorage.metadata.engines.engine import Engine
from tests.contract.metadata.conftest import OpenDatabase


def add(account: str) -> Callable[[Transaction], int]:
    return lambda tx: tx.run("INSERT INTO account (id, created_at) VALUES (:id, 1)", id=account)


def count(tx: Transaction) -> int:
    row = tx.one("SELECT count(*) FROM account")
    return int(row[0]) if row else 0


def test_a_cached_lookup_never_returns_an_older_commit_of_any_process(opened: OpenDatabase) -> None:
    """Two `Database` objects stand for two processes. A commit ends the cached lookups before it returns."""
    writer, reader = opened(), opened()

    async def run() -> list[int]:
        seen = []
        for number in range(50):
            seen.append(await reader.read_cached(Lookup("accounts", count)))
            seen.append(await reader.read_cached(Lookup("accounts", count)))
            await writer.write(add(f"{number:012}"))
        return seen

    assert asyncio.run(run()) == [number for number in range(50) for _ in range(2)]


def test_a_cached_lookup_is_not_repeated(opened: OpenDatabase) -> None:
    database, lookups = opened(), []

    def read_blocking(tx: Transaction) -> int:
        lookups.append(1)
        return count(tx)

    async def run() -> None:
        for _ in range(10):
            await database.read_cached(Lookup("accounts", read_blocking))
        await database.read_cached(Lookup("other accounts", read_blocking))

    asyncio.run(run())

    assert len(lookups) == 2


def test_missing_and_large_results_are_not_cached(opened: OpenDatabase) -> None:
    database, lookups = opened(), []

    def read_blocking(tx: Transaction) -> int | None:
        lookups.append(1)
        return None

    def large(tx: Transaction) -> int:
        lookups.append(1)
        return count(tx)

    async def run() -> None:
        for _ in range(3):
            await database.read_cached(Lookup("absent", read_blocking))
            await database.read_cached(Lookup("large", large, keep=lambda _: False))

    asyncio.run(run())

    assert len(lookups) == 6


def test_statements_that_run_together_use_the_results_of_earlier_ones(opened: OpenDatabase) -> None:
    account = "INSERT INTO account (id, created_at) VALUES (:id, 7) ON CONFLICT DO NOTHING RETURNING created_at"
    dependent = "INSERT INTO account (id, created_at) SELECT :other, :result_1 + 1 WHERE :result_1 IS NOT NULL"
    database = opened()

    def insert(tx: Transaction, one: str, other: str) -> list[int | None]:
        return tx.insert_all([account, f"{dependent} RETURNING created_at"], id=one, other=other)

    async def run() -> list[list[int | None]]:
        pairs = [("1", "2"), ("1", "3"), ("4", "5")]
        return [await database.write(partial(insert, one=one, other=other)) for one, other in pairs]

    assert asyncio.run(run()) == [[7, 8], [None, None], [7, 8]]
    found = database.read_blocking(lambda tx: tx.all("SELECT id, created_at FROM account ORDER BY id"))
    assert found == [("1", 7), ("2", 8), ("4", 7), ("5", 8)]


def test_waiting_requests_share_a_commit_and_a_failed_one_undoes_only_itself(opened: OpenDatabase) -> None:
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
    assert database.read_blocking(count) == 100


def test_a_reader_keeps_its_snapshot_while_others_commit(engine: Engine, opened: OpenDatabase) -> None:
    database = opened()

    def twice(tx: Transaction) -> tuple[int, int]:
        before = count(tx)
        engine.transact(add("000000000001"))
        return before, count(tx)

    assert database.read_blocking(twice) == (0, 0)
    assert database.read_blocking(count) == 1


def test_a_snapshot_does_not_change_while_others_write(opened: OpenDatabase) -> None:
    database = opened()

    async def run() -> list[int]:
        async with database.snapshot() as state:
            seen = [await state.read(count)]
            await database.write(add("000000000001"))
            seen.append(await state.read(count))
            with pytest.raises((apsw.ReadOnlyError, Unavailable)):
                await state.read(add("000000000002"))
        return [*seen, await database.read(count)]

    assert asyncio.run(run()) == [0, 0, 1]


def test_readers_cannot_write(opened: OpenDatabase) -> None:
    with pytest.raises((apsw.ReadOnlyError, Unavailable)):
        opened().read_blocking(add("000000000001"))
