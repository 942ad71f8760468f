"""Cached lookups of access data survive pushes and end with the first commit that changes access data."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest

from moorage.core.identity import authentication as access
from moorage.core.identity import authorization
from moorage.core.identity.authorization import AccessRequest
from moorage.core.identity.sessions import RoleSession, Session
from moorage.core.pull_through import credentials
from moorage.core.secrets.changes import NewSecret, NewValue, Secrets
from moorage.core.vault import Vault
from moorage.domain.errors import AccessDenied
from moorage.domain.identity.callers import Caller
from moorage.domain.names import Registry
from moorage.domain.pull_through.rules import Rule
from moorage.metadata.database import CachedUntil, Database, Lookup, Transaction
from moorage.metadata.engines.engine import Engine
from moorage.metadata.engines.postgres.engine import PostgresEngine
from moorage.metadata.identity.policies import AWS, PolicyName, attach
from moorage.metadata.pull_through import rules as pull_through_rules
from moorage.metadata.registry import policies, settings
from moorage.metadata.secrets import Secret
from tests.contract.metadata.conftest import OpenDatabase
from tests.support.limits import LIMITS

_TABLE = re.compile(r"\b(?:FROM|JOIN) (\w+)")
_TRIGGERS = {
    "sqlite": "SELECT tbl_name, name FROM sqlite_schema WHERE type = 'trigger'",
    "postgresql": "SELECT tgrelid::regclass::text, tgname::text FROM pg_trigger WHERE NOT tgisinternal",
}
_POLICY = (
    '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": "*", "Action": "ecr:CreateRepository",'
    ' "Resource": "*"}}'
)
REGISTRY = Registry("111122223333", "eu-central-1")


def add_rows(tx: Transaction) -> None:
    """One row in each table of access data."""
    account = REGISTRY.account
    tx.run("INSERT INTO account (id, created_at) VALUES (:id, 1)", id=account)
    tx.run("INSERT INTO iam_user (id, account, name, created_at) VALUES ('U', :id, 'ann', 1)", id=account)
    key = "INSERT INTO access_key (id, user_id, sealed_secret, active, created_at) VALUES ('K', 'U', :secret, 1, 1)"
    tx.run(key, secret=b"sealed")
    tx.run(
        "INSERT INTO iam_role (id, account, name, path, trust_policy, max_session_seconds, created_at)"
        " VALUES ('R', :id, 'ci', '/', '{}', 3600, 1)",
        id=account,
    )
    attach(tx, "R", PolicyName(AWS, "AmazonEC2ContainerRegistryReadOnly"))
    tx.run(
        "INSERT INTO repository (id, account, region, name, created_at, tag_mutability, exclusion_filters,"
        " scan_on_push, encryption_type) VALUES (7, :account, :region, 'app', 1, 'MUTABLE', '[]', 0, 'AES256')",
        account=account,
        region=REGISTRY.region,
    )
    tx.run("INSERT INTO resource_tag (repository_id, key, value) VALUES (7, 'team', 'a')")
    policies.put_registry_policy(tx, REGISTRY, _POLICY)
    pull_through_rules.insert(tx, REGISTRY, Rule("hub", "quay.io", credential_arn=secret_of(tx).arn))
    settings.put_account_setting(tx, REGISTRY, "REGISTRY_POLICY_SCOPE", "V2")


SECRETS = Secrets(Vault(b"k" * 32), LIMITS)


def secret_of(tx: Transaction) -> Secret:
    """The secret of the rule, which is created if it does not exist."""
    value = NewValue('{"username": "ann", "accessToken": "token"}', token="1")
    return SECRETS.create_secret(tx, NewSecret(REGISTRY, "ecr-pullthroughcache/hub", value), 1)[0]


def revision(tx: Transaction) -> Any:
    return tx.one("SELECT revision FROM rules")


CHANGES = [
    "UPDATE access_key SET active = 0",
    "DELETE FROM access_key",
    "DELETE FROM iam_user",
    "UPDATE iam_role SET trust_policy = '[]'",
    "DELETE FROM attached_policy",
    "INSERT INTO inline_policy (identity_id, name, document) VALUES ('U', 'p', '{}')",
    "INSERT INTO iam_policy (account, name, document, created_at) VALUES ('111122223333', 'p', '{}', 1)",
    "UPDATE registry_policy SET text = '{}'",
    "UPDATE account_setting SET value = 'V1'",
    "INSERT INTO pull_time_exclusion (account, region, principal, created_at) VALUES ('1', 'r', 'p', 1)",
    "INSERT INTO repository_policy (repository_id, text) VALUES (7, '{}')",
    "UPDATE resource_tag SET value = 'b'",
    "DELETE FROM repository",
    "UPDATE pull_through_rule SET credential_arn = NULL",
    "UPDATE pull_through_rule SET refresh = 1",
    "DELETE FROM pull_through_rule",
    "UPDATE secret SET delete_at = 1",
    "UPDATE secret_version SET stages = '[]'",
    "DELETE FROM secret_version",
    "DELETE FROM secret",
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_access_data_is_visible_to_every_process_before_it_returns(
    engine: Engine, opened: OpenDatabase, change: str
) -> None:
    engine.transact(add_rows)
    writer, reader = opened(), opened()

    async def run() -> tuple[Any, Any]:
        before = await reader.read_cached(Lookup("revision", revision, until=CachedUntil.ACCESS_CHANGE))
        await writer.write(lambda tx: tx.run(change))
        return before, await reader.read_cached(Lookup("revision", revision, until=CachedUntil.ACCESS_CHANGE))

    before, after = asyncio.run(run())

    assert before < after


@pytest.mark.parametrize(
    "change", ["UPDATE repository SET images = images + 1", "UPDATE access_key SET last_used_at = 5"]
)
def test_pushes_and_key_uses_do_not_end_cached_lookups_of_access_data(
    engine: Engine, opened: OpenDatabase, change: str
) -> None:
    engine.transact(add_rows)
    database, lookups = opened(), []

    def read_blocking(tx: Transaction) -> Any:
        lookups.append(1)
        return revision(tx)

    async def run() -> None:
        for _ in range(5):
            await database.read_cached(Lookup("revision", read_blocking, until=CachedUntil.ACCESS_CHANGE))
            await database.write(lambda tx: tx.run(change))

    asyncio.run(run())

    assert len(lookups) == 1


class Recorder:
    """A transaction that records the tables that are read."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self.tables: set[str] = set()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def record(sql: str, **values: Any) -> Any:
            self.tables.update(_TABLE.findall(sql))
            return getattr(self._tx, name)(sql, **values)

        return record


def test_every_table_that_access_data_is_read_from_is_watched(engine: Engine) -> None:
    """A lookup that `read_cached` keeps until access data change must read these tables only."""
    engine.transact(add_rows)
    kind = "sqlite" if "Sqlite" in type(engine).__name__ else "postgresql"
    access_request = AccessRequest(
        Caller(REGISTRY.account, REGISTRY.region, "U", "ann", "K", ()), "ecr:PutImage", REGISTRY, "app"
    )
    session = Session("ASIA", "K", 0, 1, RoleSession("R", "build"))

    def read(tx: Transaction) -> set[str]:
        listening: Any = Recorder(tx)
        assert access._find_key(listening, "K") is not None
        assert access._find_owner(listening, session) is not None
        assert authorization._resource_policies(listening, access_request).exists
        assert authorization._tags(listening, access_request) == {"team": "a"}
        settings.all_pull_time_exclusions(listening, REGISTRY)
        (rule,) = pull_through_rules.list_all(listening, REGISTRY)
        assert credentials.read(listening, Vault(b"k" * 32), REGISTRY, rule.credential_arn or "", 2).username == "ann"
        tables: set[str] = listening.tables
        return tables

    watched = {table for table, _ in engine.transact(lambda tx: tx.all(_TRIGGERS[kind]))}

    tables = engine.transact(read)
    assert len(tables) > 12
    assert tables <= watched


class Gate:
    """A decision that the key may be used, from a cached lookup, and the reads that follow it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.decisions: list[Any] = []

    async def pass_through(self, sql: str) -> tuple[Any, Any]:
        async def decide() -> Any:
            lookup = Lookup("key", _is_active, until=CachedUntil.ACCESS_CHANGE)
            self.decisions.append(await self._database.read_cached(lookup))
            if not self.decisions[-1]:
                raise AccessDenied(principal="", action="", resource="", reason="")
            return self.decisions[-1]

        return await self._database.decide_and_read_one(decide, lambda _: lambda tx: tx.one(sql))


def _is_active(tx: Transaction) -> int:
    row = tx.one("SELECT active FROM access_key")
    return int(row[0]) if row else 0


_COUNT = "SELECT count(*), count(*) FROM access_key WHERE active = 1"


def test_a_decision_and_its_read_are_of_current_access_data(engine: Engine, opened: OpenDatabase) -> None:
    engine.transact(add_rows)
    writer, gate = opened(), Gate(opened())

    async def run() -> None:
        for _ in range(2):
            assert await gate.pass_through(_COUNT) == (1, (1, 1))
            assert await gate.pass_through("SELECT id FROM access_key WHERE id = ''") == (1, None)
            await writer.write(lambda tx: tx.run("UPDATE access_key SET active = 0"))
            with pytest.raises(AccessDenied):
                await gate.pass_through(_COUNT)
            await writer.write(lambda tx: tx.run("UPDATE access_key SET active = 1"))

    asyncio.run(run())


def test_an_access_change_during_the_read_repeats_the_decision(engine: Engine, opened: OpenDatabase) -> None:
    engine.transact(add_rows)
    database = opened()
    decisions: list[Any] = []

    async def decide() -> Any:
        decisions.append(await database.read_cached(Lookup("revision", revision, until=CachedUntil.ACCESS_CHANGE)))
        if len(decisions) == 2:  # After the lookup, before the read.
            engine.transact(lambda tx: tx.run("UPDATE account_setting SET value = 'V1'"))
        return decisions[-1]

    async def run() -> tuple[Any, Any]:
        await decide()
        return await database.decide_and_read_one(decide, lambda _: revision)

    decision, read = asyncio.run(run())

    if isinstance(engine, PostgresEngine):
        assert len(decisions) == 3
        assert decision == read
    assert decisions[0] == decisions[1] < read
