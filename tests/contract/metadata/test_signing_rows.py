"""Rows of signatures: statements that read no more than they return, however much is stored."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from moorage.domain.names import Registry
from moorage.metadata.database import Transaction
from moorage.metadata.engines.engine import Engine
from moorage.metadata.signing import signatures
from tests.contract.metadata.plans import plans_of, whole_reads

HERE = Registry("000000000000", "us-east-1")

STATEMENTS: list[Callable[[Transaction], object]] = [
    lambda tx: signatures.statuses_of(tx, 1),
    lambda tx: signatures.images_after(tx, 1, 10),
    lambda tx: signatures.failed(tx, HERE, [1, 2]),
]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_each_statement_reads_only_what_an_index_leads_to(
    engine: Engine, statement: Callable[[Transaction], object]
) -> None:
    found = plans_of(engine, statement)

    assert found
    assert whole_reads(found) == []
