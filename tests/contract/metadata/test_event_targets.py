"""Rows of event targets on both engines, beside programs that do not have the column `format`."""

from __future__ import annotations

from moorage.metadata.database import Transaction
from moorage.metadata.engines.engine import Engine
from moorage.metadata.events import targets
from moorage.metadata.events.targets import EventTarget

TARGET = EventTarget("wh-1", "http://example.org/", "cloudevents", ("PUSH", "DELETE"), b"sealed", 1)


def test_a_target_is_read_as_it_was_written(engine: Engine) -> None:
    def write(tx: Transaction) -> None:
        targets.insert(tx, TARGET)
        targets.set_format(tx, TARGET.id, "eventbridge")
        targets.insert(tx, EventTarget("wh-2", "https://example.org/", "cloudevents", ("PUSH",), b"other", 2))

    engine.transact(write)

    first, second = engine.transact(targets.list_all)
    assert first == EventTarget("wh-1", "http://example.org/", "eventbridge", ("PUSH", "DELETE"), b"sealed", 1)
    assert second == engine.transact(lambda tx: targets.find(tx, "wh-2"))
    assert engine.transact(lambda tx: targets.delete(tx, "wh-1"))
    assert not engine.transact(lambda tx: targets.delete(tx, "wh-1"))


def test_a_program_before_formats_adds_targets_and_keeps_the_formats_of_others(engine: Engine) -> None:
    """The statements of the older program, which works beside this one in a rolling upgrade."""
    columns = "id, url, events, sealed_secret, created_at"
    values = "'wh-2', 'http://b/', '[\"PUSH\"]', :secret, 2"
    engine.transact(lambda tx: targets.insert(tx, TARGET))
    engine.transact(lambda tx: tx.run(f"INSERT INTO webhook ({columns}) VALUES ({values})", secret=b"sealed"))

    assert [row[0] for row in engine.transact(lambda tx: tx.all(f"SELECT {columns} FROM webhook ORDER BY id"))] == [
        "wh-1",
        "wh-2",
    ]
    assert [target.format for target in engine.transact(targets.list_all)] == ["cloudevents", "eventbridge"]
