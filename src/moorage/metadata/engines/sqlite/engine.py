"""The embedded database before and beside serving: the server that opens it migrates it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TypeVar

from moorage.metadata.database import Database, Transaction, Work
from moorage.metadata.engines import sealing
from moorage.metadata.engines.sqlite import schema
from moorage.metadata.engines.sqlite.database import SqliteDatabase, open_writer
from moorage.metadata.migration import moves

T = TypeVar("T")


class SqliteEngine:
    """The embedded database, one file, which the server that opens it brings up to date."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def prepare(self) -> None:
        schema.migrate(self._path)
        self.transact(moves.require_usable)

    def migrate(self) -> tuple[int, int]:
        return schema.migrate(self._path)

    def transact(self, work: Work[T], *, unfinished: bool = False) -> T:
        def checked(tx: Transaction) -> T:
            schema.require_current(tx)
            if not unfinished:
                moves.require_usable(tx)
            return work(tx)

        with open_writer(self._path) as writer:
            return writer.transact(checked)

    def is_blank(self) -> bool:
        return not self._path.exists()

    def alone(self) -> AbstractContextManager[None]:
        """The lock of the data folder does that."""
        return nullcontext()

    def seal(self, work: Work[T]) -> T:
        return self.transact(sealing.with_work(sealing.seal_sqlite, work))

    def unseal(self, work: Work[T]) -> T:
        return self.transact(sealing.with_work(sealing.unseal_sqlite, work))

    def continue_ids(self) -> None:
        """SQLite looks at the rows."""

    def open(self) -> Database:
        return SqliteDatabase(self._path)

    def connections(self) -> Mapping[str, int]:
        """None that a server would have to hold."""
        return {}
