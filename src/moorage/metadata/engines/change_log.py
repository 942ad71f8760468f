"""The log of changed rows of a database that is being migrated: triggers write the keys of rows to `changed_row`.

Triggers apply to all processes of all nodes from their commit on, also to those of the version before. Only keys are
logged: the rows are read when they are copied. A change adds a row to the log and reads none, so writers on PostgreSQL
do not conflict there. Without a migration there are no triggers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from moorage.metadata.database import Transaction, Work
from moorage.metadata.migration.tables import Table, tables

_EVENTS: Final = {"INSERT": ("NEW",), "UPDATE": ("OLD", "NEW"), "DELETE": ("OLD",)}
"""The states of a row before and after each change; an update can change the key."""

_LOG: Final = "INSERT INTO changed_row (table_name, row_key)"


def start_sqlite(logged: Sequence[Table]) -> Work[None]:
    """Work that begins an empty log of the changes in these tables."""
    return _starting(stop_sqlite, _create_in_sqlite, logged)


def start_postgres(logged: Sequence[Table]) -> Work[None]:
    """The same. No writer may be active, because its changes would not be logged."""
    return _starting(stop_postgres, _create_in_postgres, logged)


def stop_sqlite(tx: Transaction) -> None:
    """Remove the triggers and the log; nothing if there are none."""
    for table in tables():
        for event in _EVENTS:
            tx.run(f"DROP TRIGGER IF EXISTS logged_{table.name}_{event.lower()}")
    tx.run("DELETE FROM changed_row")


def stop_postgres(tx: Transaction) -> None:
    """Remove the triggers and the log; nothing if there are none."""
    for table in tables():
        tx.run(f"DROP TRIGGER IF EXISTS logged ON {table.name}")
        tx.run(f"DROP FUNCTION IF EXISTS log_{table.name}()")
    tx.run("DELETE FROM changed_row")


def _starting(stop: Work[None], create: Callable[[Transaction, Table], None], logged: Sequence[Table]) -> Work[None]:
    def start(tx: Transaction) -> None:
        stop(tx)
        for table in logged:
            create(tx, table)

    return start


def _create_in_sqlite(tx: Transaction, table: Table) -> None:
    for event, states in _EVENTS.items():
        # UNION removes the second key if both are the same.
        keys = " UNION ".join(f"SELECT '{table.name}', {_key('json_array', state, table.key)}" for state in states)
        tx.run(
            f"CREATE TRIGGER logged_{table.name}_{event.lower()} AFTER {event} ON {table.name} BEGIN {_LOG} {keys}; END"
        )


def _create_in_postgres(tx: Transaction, table: Table) -> None:
    old, new = (
        f"{_LOG} VALUES (''{table.name}'', {_key('json_build_array', state, table.key)}::text);"
        for state in ("OLD", "NEW")
    )
    same = " AND ".join(f"OLD.{column} = NEW.{column}" for column in table.key)
    tx.run(
        f"CREATE FUNCTION log_{table.name}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN"
        f" IF TG_OP = ''DELETE'' THEN {old} ELSIF TG_OP = ''INSERT'' THEN {new}"
        f" ELSE {new} IF NOT ({same}) THEN {old} END IF; END IF; RETURN NULL; END'"
    )
    tx.run(
        f"CREATE TRIGGER logged AFTER INSERT OR UPDATE OR DELETE ON {table.name}"
        f" FOR EACH ROW EXECUTE FUNCTION log_{table.name}()"
    )


def _key(function: str, state: str, columns: Iterable[str]) -> str:
    return f"{function}({', '.join(f'{state}.{column}' for column in columns)})"
