"""Schema updates of the embedded database; a schema of a newer program is rejected."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import apsw

from moorage import failpoints
from moorage.metadata.database import DatabaseUnusable, Transaction
from moorage.metadata.engines.sqlite.writer import Writer, open_writer
from moorage.metadata.migrations.scripts import schema_steps


def migrate(path: Path) -> tuple[int, int]:
    """Apply all missing steps to the database at `path` in one transaction; returns the version before and after.

    Raises DatabaseUnusable when the database is newer than this program.
    """
    steps = schema_steps()
    with open_writer(path) as writer:
        current = _version(writer)
        if current > len(steps):
            raise DatabaseUnusable(
                f"{path} was changed by a newer Moorage (schema {current}, this program knows {len(steps)}): upgrade it"
            )
        if current < len(steps):
            writer.transact(lambda tx: _apply(tx, steps))
    return current, len(steps)


def require_current(tx: Transaction) -> None:
    """Check the schema, for commands; only the server updates it. Raises DatabaseUnusable for any other version."""
    current, known = _version_in(tx), len(schema_steps())
    if current != known:
        raise DatabaseUnusable(
            f"the database has schema {current}, and this program knows {known}:"
            " start the server of this version once, or use the command of the server's version"
        )


def _apply(tx: Transaction, steps: Sequence[str]) -> None:
    for step in steps[_version_in(tx) :]:
        for statement in _statements(step):
            tx.run(statement)
        failpoints.hit("S1")
    tx.run(f"PRAGMA user_version = {len(steps)}")


def _version(writer: Writer) -> int:
    return writer.transact(_version_in)


def _version_in(tx: Transaction) -> int:
    row = tx.one("PRAGMA user_version")
    return int(row[0]) if row else 0


def _statements(text: str) -> list[str]:
    """The statements of a script; SQLite finds where each ends."""
    found, statement = [], ""
    for line in text.splitlines(keepends=True):
        statement += line
        if apsw.complete(statement):
            found.append(statement)
            statement = ""
    return found
