"""Rows of replication: statements that read no more than they return, however much is stored."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from moorage.domain.names import Registry, RepositoryName
from moorage.metadata.database import Transaction
from moorage.metadata.engines.engine import Engine
from moorage.metadata.replication import backfills, configurations, copies, entries, progress
from moorage.metadata.replication.backfills import Backfill
from moorage.metadata.replication.entries import Failure, Stream
from tests.contract.metadata.plans import plans_of, whole_reads

HERE, THERE = Registry("000000000000", "us-east-1"), Registry("000000000000", "eu-west-1")
STREAM = Stream(HERE, RepositoryName("team/app"), THERE)
FAILURE = Failure("Code", "reason")

STATEMENTS: list[Callable[[Transaction], object]] = [
    lambda tx: configurations.rules_of(tx, HERE),
    lambda tx: configurations.rules_for_image(tx, HERE, 1, "sha256:a"),
    lambda tx: entries.waiting(tx, STREAM, 10),
    lambda tx: entries.drop_waiting(tx, STREAM),
    lambda tx: entries.fail_stream(tx, STREAM, FAILURE, 1),
    lambda tx: entries.of_image(tx, HERE, "team/app", "sha256:a"),
    lambda tx: entries.remove_failed(tx, 1, 10),
    lambda tx: copies.destinations_of(tx, 1, "sha256:a"),
    lambda tx: copies.forget(tx, 1, "sha256:a"),
    lambda tx: copies.unmark(tx, 1, "sha256:a"),
    lambda tx: copies.source_of(tx, 1, "sha256:a"),
    lambda tx: backfills.find(tx, "id"),
    lambda tx: backfills.unfinished(tx, HERE),
    lambda tx: backfills.page(tx, HERE, (1, "id"), 10),
    lambda tx: backfills.next_repositories(tx, HERE, "", 10),
    lambda tx: backfills.next_images(tx, 1, 0, 10),
    lambda tx: backfills.waiting(tx, "id", 10),
    lambda tx: backfills.complete(tx, "id", [1, 2]),
    lambda tx: backfills.add_failed_entries(tx, "id", [1, 2], FAILURE, 1),
    lambda tx: backfills.results(tx, "id", 0, ["COMPLETE", "FAILED"], 10),
    lambda tx: backfills.ended(tx, 1),
]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_each_statement_reads_only_what_an_index_leads_to(
    engine: Engine, statement: Callable[[Transaction], object]
) -> None:
    found = plans_of(engine, statement)

    assert found
    assert whole_reads(found) == []
    assert [step for step in found if "TEMP B-TREE" in step] == []


def test_backfills_that_ended_are_not_read_to_find_those_in_progress(engine: Engine) -> None:
    (found,) = plans_of(engine, lambda tx: backfills.unfinished(tx, HERE))

    assert "replication_backfill_in_progress" in found or "replication_backfill_by_end" in found


def test_an_entry_that_is_asked_for_again_while_it_is_done_waits_again(engine: Engine) -> None:
    def ask(tx: Transaction) -> None:
        entries.add(tx, [STREAM], "COPY", "sha256:a", ("v1",), 1)

    engine.transact(ask)
    (first,) = engine.transact(lambda tx: entries.waiting(tx, STREAM, 10))
    engine.transact(ask)

    engine.transact(lambda tx: entries.remove(tx, [first]))
    engine.transact(lambda tx: entries.fail(tx, [first], FAILURE, 2))

    (second,) = engine.transact(lambda tx: entries.waiting(tx, STREAM, 10))
    assert (second.id, second.version) == (first.id, first.version + 1)
    engine.transact(lambda tx: entries.remove(tx, [second]))
    assert engine.transact(lambda tx: entries.waiting(tx, STREAM, 10)) == []


BACKFILL = Backfill("id", HERE, THERE, "PREPARING", 1)


def failures(engine: Engine) -> list[tuple[str, str]]:
    """Tags and reasons of the entries that failed."""
    found = engine.transact(progress.failed)
    assert {(each.destination, each.repository, each.digest) for each in found} <= {(THERE, "team/app", "sha256:a")}
    return sorted((each.tag, each.reason) for each in found)


def test_what_failed_in_a_backfill_is_a_failed_entry_until_it_is_retried_or_arrives(engine: Engine) -> None:
    """It does not hide that the same waits, and it is not made of a result that has ended already."""

    def prepare(tx: Transaction) -> None:
        backfills.insert(tx, BACKFILL)
        backfills.add_results(tx, BACKFILL, "team/app", [("sha256:a", tag) for tag in ("", "v1", "v2", "v3")], 1)
        backfills.complete(tx, "id", [3])
        entries.add(tx, [STREAM], "COPY", "sha256:a", ("v2",), 1)
        entries.fail(tx, entries.waiting(tx, STREAM, 10), Failure("Code", "earlier"), 2)
        entries.add(tx, [STREAM], "COPY", "sha256:a", ("v1",), 1)

    engine.transact(prepare)
    assert failures(engine) == [("v2", "earlier")]

    engine.transact(lambda tx: backfills.add_failed_entries(tx, "id", [0, 1, 2, 3], FAILURE, 3))
    assert failures(engine) == [("", "reason"), ("v2", "reason")]
    assert [entry.tag for entry in engine.transact(lambda tx: entries.waiting(tx, STREAM, 10))] == ["v1"]

    engine.transact(lambda tx: backfills.complete(tx, "id", [1, 2]))
    assert failures(engine) == [("", "reason")]
    assert [entry.tag for entry in engine.transact(lambda tx: entries.waiting(tx, STREAM, 10))] == ["v1"]

    assert engine.transact(lambda tx: entries.wait_again(tx, entries.Chosen(THERE), 4)) == 1
    assert failures(engine) == []
