"""Principals of policies: which exist, and the ARN of a unique id."""

from __future__ import annotations

from pathlib import Path

import pytest

from moorage.core.identity import accounts, principals, roles
from moorage.domain.identity.root_keys import FIRST_ACCOUNT
from moorage.metadata.engines.engine import Engine
from moorage.metadata.identity.accounts import insert_account
from moorage.metadata.identity.roles import Role
from tests.support.databases import engine_of
from tests.support.policies import policy

TRUST = policy({"Effect": "Allow", "Principal": {"AWS": FIRST_ACCOUNT}, "Action": "sts:AssumeRole"})
ACCOUNT = f"arn:aws:iam::{FIRST_ACCOUNT}"


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    engine = engine_of(tmp_path)
    engine.transact(lambda tx: insert_account(tx, FIRST_ACCOUNT, 0))
    return engine


def arn_of(engine: Engine, name: str) -> str | None:
    return engine.transact(lambda tx: principals.find_arn(tx, name))


def test_everyone_and_accounts_exist(engine: Engine) -> None:
    assert arn_of(engine, "*") == "*"
    assert arn_of(engine, "999999999999") is not None


def test_a_user_is_found_by_its_unique_id(engine: Engine) -> None:
    user = engine.transact(lambda tx: accounts.create_user(tx, FIRST_ACCOUNT, "alice", 0))

    assert arn_of(engine, user.id) == arn_of(engine, f"{ACCOUNT}:user/alice") == f"{ACCOUNT}:user/alice"
    assert arn_of(engine, f"{ACCOUNT}:user/bob") is None
    assert arn_of(engine, f"{user.id[:-1]}{'A' if user.id[-1] != 'A' else 'B'}") is None


def test_a_role_and_its_sessions_are_found_by_the_unique_id(engine: Engine) -> None:
    role = engine.transact(lambda tx: roles.create_role(tx, Role("", FIRST_ACCOUNT, "deploy", "/", TRUST, 3600, 0)))

    assert arn_of(engine, role.id) == f"{ACCOUNT}:role/deploy"
    assert arn_of(engine, f"{role.id}:run-1") == f"arn:aws:sts::{FIRST_ACCOUNT}:assumed-role/deploy/run-1"
