"""Reactions: they run in the order of their list, in the transaction of the change."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from moorage.app import reactions_of
from moorage.core.reactions import ImagesPulled, react
from moorage.metadata.database import Transaction
from tests.support.databases import engine_of
from tests.support.limits import LIMITS

CHANGE = ImagesPulled({})


def test_reactions_run_in_the_order_of_their_list(tmp_path: Path) -> None:
    ran: list[str] = []

    def run(tx: Transaction) -> None:
        react(tx, [lambda _tx, _change: ran.append("first"), lambda _tx, _change: ran.append("second")], CHANGE)

    engine_of(tmp_path).transact(run)

    assert ran == ["first", "second"]


def test_a_reaction_that_fails_undoes_the_change(tmp_path: Path) -> None:
    def fail(_tx: Transaction, _change: ImagesPulled) -> None:
        raise ValueError("the reaction failed")

    def change(tx: Transaction) -> None:
        tx.run("INSERT INTO account (id, created_at) VALUES ('111122223333', 1)")
        react(tx, [fail], CHANGE)

    database = engine_of(tmp_path).open()
    database.start()
    try:
        with pytest.raises(ValueError, match="the reaction failed"):
            asyncio.run(database.write(change))
        assert database.read_blocking(lambda tx: tx.one("SELECT 1 FROM account WHERE id = '111122223333'")) is None
    finally:
        database.close()


def test_every_kind_of_change_has_a_reaction() -> None:
    reactions = reactions_of(LIMITS)

    assert [name for name in reactions.__slots__ if not getattr(reactions, name)] == []
