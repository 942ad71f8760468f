"""PostgreSQL with concurrent writers, and with connections that break."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from typing import Any

import psycopg
import pytest

from moorage.domain.errors import Unavailable
from moorage.metadata import jobs
from moorage.metadata.database import CachedUntil, Lookup, Transaction
from moorage.metadata.engines.postgres.database import PostgresDatabase
from moorage.metadata.engines.postgres.engine import PostgresEngine
from moorage.metadata.engines.postgres.versions import VersionReader
from moorage.shares import begin_request
from tests.contract.metadata.test_database import add, count
from tests.support.postgres import cluster, own_cluster


@pytest.fixture
def url() -> str:
    return cluster().new_database()


@pytest.fixture
def nodes(url: str) -> Iterator[list[Any]]:
    """Two nodes on one database."""
    opened = [PostgresEngine(url, 8).open() for _ in range(2)]
    yield opened
    for database in opened:
        database.close()


def add_if_fewer_than(limit: int, account: str) -> Callable[[Transaction], bool]:
    """The pattern of a quota: count, then decide."""

    def work(tx: Transaction) -> bool:
        if count(tx) >= limit:
            return False
        add(account)(tx)
        return True

    return work


def test_a_quota_holds_for_writers_on_two_nodes(nodes: list[PostgresDatabase]) -> None:
    async def run() -> list[bool]:
        works = [add_if_fewer_than(5, f"{number:012}") for number in range(60)]
        return list(await asyncio.gather(*(nodes[number % 2].write(work) for number, work in enumerate(works))))

    assert sum(asyncio.run(run())) == 5
    assert nodes[0].read_blocking(count) == 5


def test_of_two_writers_of_the_same_row_the_second_finds_it(nodes: list[PostgresDatabase]) -> None:
    def make(tx: Transaction) -> bool:
        if tx.one("SELECT 1 FROM account WHERE id = 'one'"):
            return False
        add("one")(tx)
        return True

    async def run() -> list[bool]:
        return list(await asyncio.gather(*(nodes[number % 2].write(make) for number in range(20))))

    assert sum(asyncio.run(run())) == 1


def test_a_permanent_duplicate_is_an_error_and_not_retried_forever(nodes: list[PostgresDatabase]) -> None:
    async def run() -> None:
        await nodes[0].write(add("one"))
        with pytest.raises(psycopg.errors.UniqueViolation):
            await nodes[0].write(add("one"))

    asyncio.run(run())


def test_endless_conflicts_end_with_unavailable(nodes: list[PostgresDatabase]) -> None:
    tries = []

    def hopeless(tx: Transaction) -> None:
        tries.append(1)
        tx.run("DO 'BEGIN RAISE EXCEPTION USING ERRCODE = ''40001''; END'")

    async def run() -> None:
        with pytest.raises(Unavailable, match="conflicting changes"):
            await nodes[0].write(hopeless)

    asyncio.run(run())
    assert len(tries) == 10


def test_each_job_is_taken_by_one_worker_of_all_nodes(nodes: list[PostgresDatabase]) -> None:
    def read_one(tx: Transaction) -> None:
        for number in range(40):
            jobs.enqueue(tx, "work", str(number), {}, 2)

    async def run() -> list[str]:
        await nodes[0].write(read_one)
        claims = (nodes[number % 2].write(lambda tx: jobs.claim(tx, ["work"], 10, 20, 5)) for number in range(8))
        return [job.key for taken in await asyncio.gather(*claims) for job in taken]

    taken = asyncio.run(run())
    assert len(taken) == len(set(taken)) > 0


def test_requests_continue_after_all_connections_were_cut(nodes: list[PostgresDatabase], url: str) -> None:
    async def run() -> None:
        for number in range(3):
            assert await nodes[0].read_cached(Lookup("accounts", count)) == await nodes[0].read(count) == number
            cluster().cut_connections(url)
            await nodes[0].write(add(f"{number:012}"))
            cluster().cut_connections(url)

    asyncio.run(run())


@pytest.fixture
def queries(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """An entry for each query of the current version."""
    made: list[int] = []
    resolve = VersionReader._resolve

    def counted(reader: VersionReader) -> None:
        made.append(1)
        resolve(reader)

    monkeypatch.setattr(VersionReader, "_resolve", counted)
    return made


def test_a_request_that_reads_on_at_once_needs_one_version(nodes: list[PostgresDatabase], queries: list[int]) -> None:
    lookup = Lookup("accounts", count)

    async def request() -> list[int]:
        begin_request()
        return [await nodes[0].read_cached(lookup) for _ in range(3)]

    async def run() -> None:
        assert await nodes[0].read_cached(lookup) == 0
        queries.clear()
        assert await asyncio.create_task(request()) == [0, 0, 0]
        assert len(queries) == 1
        queries.clear()
        for _ in range(3):  # no request
            await nodes[0].read_cached(lookup)
        assert len(queries) == 3

    asyncio.run(run())


def test_a_decision_and_the_read_that_follows_are_one_statement(
    nodes: list[PostgresDatabase], queries: list[int]
) -> None:
    lookup = Lookup("accounts", count, until=CachedUntil.ACCESS_CHANGE)

    async def run() -> None:
        for expected in (1, 0, 0):  # The first one has nothing cached.
            queries.clear()
            decide = partial(nodes[0].read_cached, lookup)
            assert await nodes[0].decide_and_read_one(decide, lambda found: lambda tx: found + count(tx)) == (0, 0)
            assert len(queries) == expected

    asyncio.run(run())


@pytest.mark.parametrize("is_single", [True, False])
def test_a_request_goes_on_with_the_version_of_a_lookup_that_it_waited_for(
    nodes: list[PostgresDatabase], queries: list[int], is_single: bool
) -> None:
    async def run() -> None:
        for number in range(3):
            begin_request()
            queries.clear()
            assert await nodes[0].read_cached(Lookup(("first", number), count, is_single=is_single)) == number
            assert await nodes[0].read_cached(Lookup(("first", number), count, is_single=is_single)) == number
            assert len(queries) == 1
            await nodes[1].write(add(f"{number:012}"))
            assert await nodes[0].read_cached(Lookup(("first", number), count, is_single=is_single)) == number + 1

    asyncio.run(run())


def test_a_request_that_waited_sees_what_was_committed_meanwhile(nodes: list[PostgresDatabase]) -> None:
    lookup = Lookup("accounts", count)

    async def run() -> None:
        begin_request()
        assert await nodes[0].read_cached(lookup) == 0
        assert await nodes[0].read_cached(lookup) == 0
        await nodes[1].write(add("one"))
        assert await nodes[0].read_cached(lookup) == 1

    asyncio.run(run())


def test_a_request_does_not_use_the_version_of_the_one_before_it(nodes: list[PostgresDatabase], url: str) -> None:
    lookup = Lookup("accounts", count)
    engine = PostgresEngine(url, 2)

    async def run() -> None:
        for number in range(3):
            begin_request()
            assert await nodes[0].read_cached(lookup) == await nodes[0].read_cached(lookup) == number
            engine.transact(add(f"{number:012}"))  # without giving control to the event loop

    asyncio.run(run())


def _insert_each(tx: Transaction, rows: list[dict[str, Any]]) -> None:
    tx.run_each("INSERT INTO account (id, created_at) VALUES (:id, :at) ON CONFLICT DO NOTHING", rows)


def test_rows_that_one_statement_inserts_keep_their_values(nodes: list[PostgresDatabase]) -> None:
    async def run() -> list[tuple[Any, ...]]:
        for size in (1, 3, 16, 17):
            rows = [{"id": f"{size}-{number}", "at": number} for number in range(size)]
            await nodes[0].write(partial(_insert_each, rows=[*rows, rows[0]]))
        return await nodes[0].read(lambda tx: tx.all("SELECT id, created_at FROM account"))

    expected = {(f"{size}-{number}", number) for size in (1, 3, 16, 17) for number in range(size)}
    found = asyncio.run(run())
    assert (set(found), len(found)) == (expected, len(expected))


def test_a_write_that_was_cut_off_before_its_commit_is_done_once(nodes: list[PostgresDatabase]) -> None:
    tries = []

    def cut_once(tx: Transaction) -> None:
        add("one")(tx)
        tries.append(1)
        if len(tries) == 1:
            tx.one("SELECT pg_terminate_backend(pg_backend_pid())")

    async def run() -> int:
        await nodes[0].write(cut_once)
        return await nodes[0].read(count)

    assert asyncio.run(run()) == 1
    assert len(tries) == 2


def test_a_snapshot_whose_connection_was_cut_does_not_continue_on_another(
    nodes: list[PostgresDatabase], url: str
) -> None:
    async def run() -> None:
        async with nodes[0].snapshot() as state:
            assert await state.read(count) == 0
            cluster().cut_connections(url)
            await nodes[0].write(add("one"))
            for _ in range(2):
                with pytest.raises(Unavailable, match="lost"):
                    await state.read(count)

    asyncio.run(run())


def test_a_read_is_tried_twice_and_then_fails_with_unavailable(nodes: list[PostgresDatabase]) -> None:
    tries = []

    def cut(tx: Transaction) -> None:
        tries.append(1)
        tx.one("SELECT pg_terminate_backend(pg_backend_pid())")

    async def run() -> None:
        with pytest.raises(Unavailable, match="lost"):
            await nodes[0].read(cut)

    asyncio.run(run())
    assert len(tries) == 2


_END_IN_COMMIT = """
CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END';
CREATE CONSTRAINT TRIGGER cut AFTER INSERT ON account DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION cut()
"""


def test_a_commit_with_an_unknown_outcome_is_not_retried(url: str, nodes: list[PostgresDatabase]) -> None:
    with psycopg.connect(url) as other:
        other.execute(_END_IN_COMMIT)
    tries = []

    def work(tx: Transaction) -> None:
        tries.append(1)
        add("one")(tx)

    async def run() -> None:
        with pytest.raises(Unavailable, match="may or may not"):
            await nodes[0].write(work)

    asyncio.run(run())
    assert len(tries) == 1


def test_a_failed_statement_cannot_be_ignored(nodes: list[PostgresDatabase]) -> None:
    """PostgreSQL undoes a transaction with an error in it, even if the work ignores the error."""

    def careless(tx: Transaction) -> None:
        with pytest.raises(psycopg.Error):
            tx.run("SELECT nonsense")

    async def run() -> None:
        with pytest.raises(RuntimeError, match="caught"):
            await nodes[0].write(careless)

    asyncio.run(run())


def test_an_unreachable_server_gives_unavailable_and_is_found_again() -> None:
    with own_cluster() as stopped:
        stopped.execute("CREATE DATABASE moorage")
        engine = PostgresEngine(stopped.url("moorage"), 2)
        engine.migrate()
        with closing(engine.open()) as database:

            async def run() -> None:
                await database.write(add("one"))
                assert await database.read_cached(Lookup("accounts", count)) == 1
                stopped.stop("immediate")
                for attempt in (
                    database.read_cached(Lookup("accounts", count)),
                    database.read(count),
                    database.write(add("two")),
                ):
                    with pytest.raises(Unavailable, match="is not available"):
                        await attempt
                assert not await database.is_reachable()
                stopped.start()
                assert await database.is_reachable()
                await database.write(add("two"))
                assert await database.read_cached(Lookup("accounts", count)) == await database.read(count) == 2

            asyncio.run(run())
