"""The schema of a PostgreSQL database: `moorage migrate` updates it, all other programs check it.

`schema_version` has one row: the number of steps that were applied, and how many of them a program must know.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from moorage import failpoints
from moorage.metadata.database import DatabaseUnusable, Transaction
from moorage.metadata.engines.dialects import schema_for_postgres
from moorage.metadata.engines.postgres.connections import Connection, PostgresTransaction
from moorage.metadata.migrations.scripts import schema_steps

_COMPATIBLE: Final = "-- Programs before this step may go on."
"""The first line of a step that older programs need not know to keep all promises."""

_VERSION_TABLE: Final = "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL, oldest BIGINT NOT NULL)"
_SCHEMA_LOCK: Final = 0x6D6F6F72
"""The key of the advisory lock for schema updates; it works before any table exists."""


def migrate(connection: Connection) -> tuple[int, int]:
    """Apply all missing steps in one transaction; returns the schema version before and after.

    Raises DatabaseUnusable when a newer program has changed the schema.
    """
    steps = schema_steps()

    def apply(tx: PostgresTransaction) -> tuple[int, int]:
        tx.run("SELECT pg_advisory_xact_lock(:lock)", lock=_SCHEMA_LOCK)
        tx.run(_VERSION_TABLE)
        before = _version(tx)
        if before > len(steps):
            raise DatabaseUnusable(_newer_schema(before, len(steps)))
        if before < len(steps):
            tx.run("LOCK TABLE schema_version IN ACCESS EXCLUSIVE MODE")  # waits for writers; no other can start
            for step in steps[before:]:
                for statement in schema_for_postgres(step):
                    tx.run(statement)
                failpoints.hit("S1")
            tx.run("DELETE FROM schema_version")
            tx.run(
                "INSERT INTO schema_version (version, oldest) VALUES (:version, :oldest)",
                version=len(steps),
                oldest=required_version(steps),
            )
        return before, len(steps)

    return connection.run("BEGIN", apply)


def require(tx: Transaction) -> None:
    """Check that this program can work with the schema. Raises DatabaseUnusable."""
    known = len(schema_steps())
    if is_empty(tx):
        raise DatabaseUnusable("the database is empty: run `moorage migrate` first")
    version, oldest = tx.one("SELECT version, oldest FROM schema_version") or (0, 0)
    if version < known:
        raise DatabaseUnusable(
            f"the database has schema {version}, and this program needs {known}: run `moorage migrate` first"
        )
    if oldest > known:
        raise DatabaseUnusable(_newer_schema(version, known))


def is_empty(tx: Transaction) -> bool:
    """Whether the database was never migrated."""
    return tx.one("SELECT to_regclass('schema_version')::text") == (None,)


def advance_sequences(tx: Transaction) -> None:
    """Set the sequences above the ids in use: rows that were copied with their ids did not advance them."""
    identities = tx.all(
        "SELECT table_name::text, column_name::text FROM information_schema.columns"
        " WHERE table_schema = current_schema() AND is_identity = 'YES'"
    )
    for table, column in identities:
        tx.one(
            f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'), max({column})) FROM {table}"
            f" HAVING max({column}) IS NOT NULL"
        )


def required_version(steps: Sequence[str]) -> int:
    """How many of these steps a program must know: all up to the last step that is not compatible."""
    return max((number for number, step in enumerate(steps, 1) if not step.startswith(_COMPATIBLE)), default=0)


def _version(tx: Transaction) -> int:
    row = tx.one("SELECT version FROM schema_version")
    return int(row[0]) if row else 0


def _newer_schema(version: int, known: int) -> str:
    return f"the database was changed by a newer Moorage (schema {version}, this program knows {known}): upgrade it"
