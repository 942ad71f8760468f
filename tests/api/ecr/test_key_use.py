"""The last use of access keys: recorded after its first request and then once an hour, but not for sessions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from moorage.core.identity.key_last_used import KeyLastUsed
from moorage.domain.units import HOUR, SECOND
from moorage.metadata.engines.sqlite.database import SqliteDatabase
from moorage.metadata.engines.sqlite.schema import migrate
from moorage.metadata.identity import accounts as identities
from moorage.metadata.identity.accounts import KeySummary, User
from tests.api.ecr.conftest import KeyedUser
from tests.support.waiting import wait_until

KEY, USER = "AKIATEST", User("AIDATEST", "000000000000", "ann", 0)


def recorded_use(database: SqliteDatabase) -> int | None:
    return database.read_blocking(lambda tx: identities.keys_of(tx, USER))[0].last_used_at


def test_the_first_use_is_listed_soon(new_user: Callable[..., KeyedUser], moorage: Callable[..., str]) -> None:
    person = new_user("AmazonEC2ContainerRegistryReadOnly")

    def listed() -> str:
        return moorage("key", "list", "--user", person.name).strip().rpartition("\t")[2]

    assert listed() == "never"
    person.ecr.describe_repositories()
    wait_until(lambda: listed() != "never")
    assert listed().startswith("20")


def test_a_use_is_written_once_an_hour(tmp_path: Path) -> None:
    """Ten thousand requests in an hour cause one write, and two processes do not correct each other."""
    path, time_now = tmp_path / "moorage.db", [5 * HOUR]
    migrate(path)

    async def use(uses: KeyLastUsed, times: int) -> None:
        for _ in range(times):
            uses.record(KEY)
        await asyncio.gather(*uses._writing)

    async def run(database: SqliteDatabase) -> list[Any]:
        first, second = KeyLastUsed(database, lambda: time_now[0]), KeyLastUsed(database, lambda: time_now[0])
        await use(first, 10_000)
        seen = [recorded_use(database)]
        time_now[0] += HOUR - SECOND
        await use(first, 1)
        await use(second, 1)
        seen.append(recorded_use(database))
        time_now[0] += SECOND
        await use(first, 1)
        return [*seen, recorded_use(database)]

    with closing(SqliteDatabase(path)) as database:
        database.start()

        def insert(tx: Any) -> None:
            identities.insert_account(tx, USER.account, 0)
            identities.insert_user(tx, USER)
            identities.insert_key(tx, KeySummary(KEY, True, 0), USER, b"")

        async def insert_and_run() -> list[Any]:
            await database.write(insert)
            return await run(database)

        assert asyncio.run(insert_and_run()) == [5 * HOUR, 5 * HOUR, 6 * HOUR]
