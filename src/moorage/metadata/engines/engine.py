"""The interface of a database engine: operations on a database before and beside serving."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

from moorage.metadata.database import Database, Work
from moorage.metadata.migration.tables import Table

T = TypeVar("T")


class Engine(Protocol):
    """A database of one engine."""

    def prepare(self) -> None:
        """Make the database ready to serve from. Raises DatabaseUnusable, Unavailable."""

    def migrate(self) -> tuple[int, int]:
        """Update the schema; returns its version before and after. Raises DatabaseUnusable, Unavailable."""

    def transact(self, work: Work[T], *, during_migration: bool = False) -> T:
        """Run one transaction, for commands. Raises Unavailable, and DatabaseUnusable for another program's schema.

        While a migration to this database is not complete, only that migration may use it (`during_migration`).
        """

    def is_empty(self) -> bool:
        """Whether the database does not exist or has none of our tables. Raises Unavailable."""

    def lock_migration(self) -> AbstractContextManager[None]:
        """Hold a lock against other migrations to this database. Raises DatabaseUnusable when one is running."""

    def seal(self, work: Work[T]) -> T:
        """Reject all changes after this transaction (`sealing.py`)."""

    def unseal(self, work: Work[T]) -> T:
        """Accept changes again after this transaction."""

    def log_changes(self, logged: Sequence[Table]) -> None:
        """Begin an empty log of the changes in these tables (`change_log.py`)."""

    def stop_log(self) -> None:
        """Log no more changes, and forget the log."""

    def advance_sequences(self) -> None:
        """Make new rows get ids above those of rows that were copied with their ids."""

    def analyze(self) -> None:
        """Collect statistics for the planner after many rows were copied, if it needs them."""

    def open(self) -> Database:
        """Open the connections of one process."""

    def connections(self) -> Mapping[str, int]:
        """The number of connections of all processes of all nodes, by state. Raises Unavailable."""
