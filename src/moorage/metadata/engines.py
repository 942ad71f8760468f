"""Which engine a database has, and what is done with it before and beside serving."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Protocol, TypeVar

from moorage.metadata import moves, schema, sealing
from moorage.metadata.database import Database, Transaction, Work
from moorage.metadata.sqlite import SqliteDatabase, open_writer

T = TypeVar("T")


class Engine(Protocol):
    """A place where a registry's rows are."""

    def prepare(self) -> None:
        """Make ready to serve from. Raises DatabaseUnusable, Unavailable."""

    def migrate(self) -> tuple[int, int]:
        """Bring the schema up to date; returns its version before and after. Raises DatabaseUnusable, Unavailable."""

    def now(self, work: Work[T], *, unfinished: bool = False) -> T:
        """One transaction, for commands. Raises Unavailable, and DatabaseUnusable for another program's schema.

        The target of a move that is not complete is for that move alone, which says that it knows (`unfinished`).
        """

    def is_blank(self) -> bool:
        """Whether there is no database yet, or one without any table of ours. Raises Unavailable."""

    def alone(self) -> AbstractContextManager[None]:
        """Keeps out other moves to this database. Raises DatabaseUnusable when one is there already."""

    def seal(self, work: Work[T]) -> T:
        """Refuse every change from the end of this transaction on (`sealing.py`)."""

    def unseal(self, work: Work[T]) -> T:
        """Accept changes again from the end of this transaction on."""

    def continue_ids(self) -> None:
        """Let new rows have ids behind those that were brought with theirs."""

    def open(self) -> Database:
        """A process's own connections."""

    def connections(self) -> Mapping[str, int]:
        """How many connections all processes of all nodes have, by what they do. Raises Unavailable."""


def engine_at(url: str | None, file: Path, connections: int) -> Engine:
    """PostgreSQL at `url`, else SQLite in `file`. Raises DatabaseUnusable for an address that is none."""
    if url is None:
        return SqliteEngine(file)
    # By its name: the embedded database does without, and commands start a tenth of a second sooner.
    postgres = importlib.import_module("moorage.metadata.postgres_engine")
    engine: Engine = postgres.PostgresEngine(url, connections)
    return engine


class SqliteEngine:
    """The embedded database, one file, which the server that opens it brings up to date."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def prepare(self) -> None:
        schema.migrate(self._path)
        self.now(moves.require_usable)

    def migrate(self) -> tuple[int, int]:
        return schema.migrate(self._path)

    def now(self, work: Work[T], *, unfinished: bool = False) -> T:
        def checked(tx: Transaction) -> T:
            schema.require_current(tx)
            if not unfinished:
                moves.require_usable(tx)
            return work(tx)

        with open_writer(self._path) as writer:
            return writer.now(checked)

    def is_blank(self) -> bool:
        return not self._path.exists()

    def alone(self) -> AbstractContextManager[None]:
        """The lock of the data folder does that."""
        return nullcontext()

    def seal(self, work: Work[T]) -> T:
        return self.now(sealing.with_work(sealing.seal_sqlite, work))

    def unseal(self, work: Work[T]) -> T:
        return self.now(sealing.with_work(sealing.unseal_sqlite, work))

    def continue_ids(self) -> None:
        """SQLite looks at the rows."""

    def open(self) -> Database:
        return SqliteDatabase(self._path)

    def connections(self) -> Mapping[str, int]:
        """None that a server would have to hold."""
        return {}
