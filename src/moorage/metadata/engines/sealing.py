"""A seal on a database: every change is refused, reads go on, and as long as there is none it costs nothing.

It is made of triggers, so it holds for every process of every node from the moment at which it is committed, whatever
they have opened, and after every restart. `dialects.SEALED` is what the triggers say; the transactions of both engines
make Unavailable of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeVar

from moorage.metadata.database import Transaction, Work
from moorage.metadata.engines.dialects import SEALED, SEALED_STATE
from moorage.metadata.migration.tables import tables

T = TypeVar("T")

_UNSEALED: Final = "move"
"""The table that says why the others are sealed."""

_FUNCTION: Final = f"""
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql
AS 'BEGIN RAISE EXCEPTION USING ERRCODE = ''{SEALED_STATE}'', MESSAGE = ''{SEALED}''; END'
"""


def with_work(change: Work[None], work: Work[T]) -> Work[T]:
    """A seal that is put on or taken off, and what is written with it, in one transaction."""

    def both(tx: Transaction) -> T:
        change(tx)
        return work(tx)

    return both


def seal_sqlite(tx: Transaction) -> None:
    for trigger, event, table in _triggers_of_sqlite():
        tx.run(f"CREATE TRIGGER {trigger} BEFORE {event} ON {table} BEGIN SELECT RAISE(ABORT, '{SEALED}'); END")


def unseal_sqlite(tx: Transaction) -> None:
    for trigger, _, _ in _triggers_of_sqlite():
        tx.run(f"DROP TRIGGER IF EXISTS {trigger}")


def seal_postgres(tx: Transaction) -> None:
    """To be done while no writer is under way and none can begin."""
    tx.run(_FUNCTION)
    for table in _sealed():
        tx.run(
            f"CREATE TRIGGER sealed BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def unseal_postgres(tx: Transaction) -> None:
    for table in _sealed():
        tx.run(f"DROP TRIGGER IF EXISTS sealed ON {table}")
    tx.run("DROP FUNCTION IF EXISTS refuse_change()")


def _sealed() -> list[str]:
    return [table.name for table in tables() if table.name != _UNSEALED]


def _triggers_of_sqlite() -> Iterator[tuple[str, str, str]]:
    for table in _sealed():
        for event in ("INSERT", "UPDATE", "DELETE"):
            yield f"sealed_{table}_{event.lower()}", event, table
