"""What the operating API lists is read in the order of an index, from the position of the page on."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from moorage.domain.names import Registry
from moorage.metadata import jobs
from moorage.metadata.database import Transaction
from moorage.metadata.engines.engine import Engine
from moorage.metadata.events import deliveries
from moorage.metadata.identity import console_sessions
from moorage.metadata.registry import repositories, usage
from moorage.metadata.replication import progress
from tests.contract.metadata.plans import plans_of, whole_reads

REGISTRY = Registry("000000000000", "us-east-1")

BOUNDED = ("SCAN counted", "SCAN replication_entry USING COVERING INDEX")
"""Scans that a LIMIT ends: of a subquery, and of the entries that wait or failed, which have an index each."""

STATEMENTS: dict[str, Callable[[Transaction], object]] = {
    "repositories by name": lambda tx: repositories.named_between(tx, REGISTRY, ("a", "b"), 9, descending=False),
    "repositories by name, descending": lambda tx: repositories.named_between(
        tx, REGISTRY, ("a", "b"), 9, descending=True
    ),
    "repositories by creation": lambda tx: repositories.by_creation(tx, REGISTRY, (5, 5), 9, descending=False),
    "repositories by creation, descending": lambda tx: repositories.by_creation(
        tx, REGISTRY, (5, 5), 9, descending=True
    ),
    "deliveries": lambda tx: deliveries.page(tx, "wh-1", ("a", 5), 9),
    "counts of deliveries": lambda tx: deliveries.count_some(tx, "wh-1", 9),
    "jobs": lambda tx: jobs.page(tx, ("a", "b"), 9, dead_only=False),
    "usage": lambda tx: usage.page_of_registry(tx, REGISTRY, "a", 9),
    "replications": lambda tx: progress.count_some(tx, 9),
    "sessions": lambda tx: console_sessions.page(tx, REGISTRY.account, (5, "a"), 9),
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_page_is_read_by_an_index_and_not_sorted(engine: Engine, name: str) -> None:
    plans = plans_of(engine, STATEMENTS[name])

    assert plans
    assert [step for step in whole_reads(plans) if not step.startswith(BOUNDED)] == []
    assert not any("TEMP B-TREE" in step or '"Sort' in step for step in plans), plans
    if name.startswith("repositories by creation"):
        assert "repository_by_creation" in "".join(plans)
        assert '"Filter": "(ROW' not in "".join(plans)
