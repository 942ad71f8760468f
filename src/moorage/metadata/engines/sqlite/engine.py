"""The SQLite engine. The server that opens the database also updates its schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TypeVar

from moorage.metadata.database import Database, Transaction, Work
from moorage.metadata.engines import change_log, sealing
from moorage.metadata.engines.sqlite import schema
from moorage.metadata.engines.sqlite.database import SqliteDatabase
from moorage.metadata.engines.sqlite.writer import open_writer
from moorage.metadata.migration import records
from moorage.metadata.migration.tables import Table

T = TypeVar("T")


class SqliteEngine:
    """The `Engine` for one file. The server updates its schema at the start."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def prepare(self) -> None:
        schema.migrate(self._path)
        self.transact(records.require_usable)

    def migrate(self) -> tuple[int, int]:
        return schema.migrate(self._path)

    def transact(self, work: Work[T], *, during_migration: bool = False) -> T:
        def checked(tx: Transaction) -> T:
            schema.require_current(tx)
            if not during_migration:
                records.require_usable(tx)
            return work(tx)

        with open_writer(self._path) as writer:
            return writer.transact(checked)

    def is_empty(self) -> bool:
        return not self._path.exists()

    def lock_migration(self) -> AbstractContextManager[None]:
        """Do nothing: the lock of the data folder excludes other migrations."""
        return nullcontext()

    def seal(self, work: Work[T]) -> T:
        return self.transact(sealing.combined(sealing.seal_sqlite, work))

    def unseal(self, work: Work[T]) -> T:
        return self.transact(sealing.combined(sealing.unseal_sqlite, work))

    def log_changes(self, logged: Sequence[Table]) -> None:
        self.transact(change_log.start_sqlite(logged))

    def stop_log(self) -> None:
        self.transact(change_log.stop_sqlite)

    def advance_sequences(self) -> None:
        """Do nothing: SQLite derives new ids from the rows."""

    def analyze(self) -> None:
        """Do nothing: plans do not depend on statistics."""

    def open(self) -> Database:
        return SqliteDatabase(self._path)

    def connections(self) -> Mapping[str, int]:
        """Empty: there are no connections to a server."""
        return {}
