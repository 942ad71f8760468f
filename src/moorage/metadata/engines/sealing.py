"""Sealing of a database: every change is rejected, and reads continue. Without a seal, it costs nothing.

A seal consists of triggers. It applies to all processes of all nodes from its commit on, including open connections,
and after every restart. The triggers raise `dialects.SEALED`; both engines turn it into Unavailable.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeVar

from moorage.metadata.database import Transaction, Work
from moorage.metadata.engines.dialects import SEALED, SEALED_STATE
from moorage.metadata.migration.tables import tables

T = TypeVar("T")

_NEVER_SEALED: Final = "move"
"""The table that records why the others are sealed."""

_FUNCTION: Final = f"""
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql
AS 'BEGIN RAISE EXCEPTION USING ERRCODE = ''{SEALED_STATE}'', MESSAGE = ''{SEALED}''; END'
"""


def combined(change: Work[None], work: Work[T]) -> Work[T]:
    """Work that sets or removes a seal and then does `work`, in one transaction."""

    def both(tx: Transaction) -> T:
        change(tx)
        return work(tx)

    return both


def seal_sqlite(tx: Transaction) -> None:
    for trigger, event, table in _sqlite_triggers():
        tx.run(f"CREATE TRIGGER {trigger} BEFORE {event} ON {table} BEGIN SELECT RAISE(ABORT, '{SEALED}'); END")


def unseal_sqlite(tx: Transaction) -> None:
    for trigger, _, _ in _sqlite_triggers():
        tx.run(f"DROP TRIGGER IF EXISTS {trigger}")


def seal_postgres(tx: Transaction) -> None:
    """Create the triggers. No writer may be active, and none may start."""
    tx.run(_FUNCTION)
    for table in _sealed_tables():
        tx.run(
            f"CREATE TRIGGER sealed BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def unseal_postgres(tx: Transaction) -> None:
    for table in _sealed_tables():
        tx.run(f"DROP TRIGGER IF EXISTS sealed ON {table}")
    tx.run("DROP FUNCTION IF EXISTS refuse_change()")


def _sealed_tables() -> list[str]:
    return [table.name for table in tables() if table.name != _NEVER_SEALED]


def _sqlite_triggers() -> Iterator[tuple[str, str, str]]:
    for table in _sealed_tables():
        for event in ("INSERT", "UPDATE", "DELETE"):
            yield f"sealed_{table}_{event.lower()}", event, table
