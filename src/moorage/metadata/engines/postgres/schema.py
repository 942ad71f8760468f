"""The schema of a PostgreSQL database: brought up to date by `moorage migrate`, and looked at by everybody else.

`schema_version` has one row: how many steps were taken, and how many of them a program must know to work beside them.
"""

from __future__ import annotations

from typing import Final

from moorage import failpoints
from moorage.metadata.database import DatabaseUnusable, Transaction
from moorage.metadata.engines.dialects import schema_for_postgres
from moorage.metadata.engines.postgres.connections import Connection, PostgresTransaction
from moorage.metadata.migrations.scripts import steps_of_this_program

_HARMLESS: Final = "-- Programs before this step may go on."
"""The first line of a step whose tables and columns a program need not know to keep every promise."""

_VERSION_TABLE: Final = "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL, oldest BIGINT NOT NULL)"
_LOCK: Final = 0x6D6F6F72
"""Names the lock at which programs that migrate wait for each other: before the table that will be locked is there."""


def migrate(connection: Connection) -> tuple[int, int]:
    """Apply the steps that the database lacks, all or none; returns its version before and after.

    Raises DatabaseUnusable when a program that is newer than this one has changed the schema.
    """
    steps = steps_of_this_program()

    def apply(tx: PostgresTransaction) -> tuple[int, int]:
        tx.run("SELECT pg_advisory_xact_lock(:lock)", lock=_LOCK)
        tx.run(_VERSION_TABLE)
        before = _version(tx)
        if before > len(steps):
            raise DatabaseUnusable(_newer(before, len(steps)))
        if before < len(steps):
            tx.run("LOCK TABLE schema_version IN ACCESS EXCLUSIVE MODE")  # No writer is under way, and none begins.
            for step in steps[before:]:
                for statement in schema_for_postgres(step):
                    tx.run(statement)
                failpoints.hit("S1")
            tx.run("DELETE FROM schema_version")
            tx.run(
                "INSERT INTO schema_version (version, oldest) VALUES (:version, :oldest)",
                version=len(steps),
                oldest=oldest_of(steps),
            )
        return before, len(steps)

    return connection.run("BEGIN", apply)


def require(tx: Transaction) -> None:
    """Pass with a schema that this program can work with. Raises DatabaseUnusable."""
    known = len(steps_of_this_program())
    if is_blank(tx):
        raise DatabaseUnusable("the database is empty: run moorage migrate with the same --database first")
    version, oldest = tx.one("SELECT version, oldest FROM schema_version") or (0, 0)
    if version < known:
        raise DatabaseUnusable(
            f"the database has schema {version}, and this program needs {known}: run moorage migrate first"
        )
    if oldest > known:
        raise DatabaseUnusable(_newer(version, known))


def is_blank(tx: Transaction) -> bool:
    """Whether the database was never migrated."""
    return tx.one("SELECT to_regclass('schema_version')::text") == (None,)


def continue_ids(tx: Transaction) -> None:
    """Let the engine give ids behind those that are there: rows that were brought with theirs did not count."""
    identities = tx.all(
        "SELECT table_name::text, column_name::text FROM information_schema.columns"
        " WHERE table_schema = current_schema() AND is_identity = 'YES'"
    )
    for table, column in identities:
        tx.one(
            f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'), max({column})) FROM {table}"
            f" HAVING max({column}) IS NOT NULL"
        )


def oldest_of(steps: list[str]) -> int:
    """How many of these steps a program must know: all up to the last that is not harmless."""
    return max((number for number, step in enumerate(steps, 1) if not step.startswith(_HARMLESS)), default=0)


def _version(tx: Transaction) -> int:
    row = tx.one("SELECT version FROM schema_version")
    return int(row[0]) if row else 0


def _newer(version: int, known: int) -> str:
    return f"the database was changed by a newer Moorage (schema {version}, this program knows {known}): upgrade it"
