"""Copies of the SQLite database while servers use it, for backups.

SQLite's online backup (https://www.sqlite.org/backup.html) copies one snapshot. In WAL mode it is a reader, so writers
do not wait for it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import apsw

from moorage.domain.errors import Unavailable
from moorage.metadata.database import DatabaseUnusable, Transaction
from moorage.metadata.engines.sqlite.connections import SqliteTransaction, connect

_SOUND: Final = "ok"


class DatabaseCopy:
    """A copy of the database `source` in the file `path`, which `refresh` creates."""

    def __init__(self, source: Path, path: Path) -> None:
        self._source = source
        self.path = path

    def refresh(self) -> None:
        """Copy the database as it is now, and check the copy. It is on the disk afterwards, in this one file.

        Raises DatabaseUnusable for a damaged database, and Unavailable if it cannot be copied.
        """
        self._make_file()
        try:
            with closing(connect(self._source)) as source, closing(apsw.Connection(str(self.path))) as copy:
                with copy.backup("main", source, "main") as backup:
                    backup.step()  # All pages at once: between steps, writers would make it start again.
                copy.execute("PRAGMA journal_mode = DELETE").fetchall()  # A copy in WAL mode would have further files.
                self._require_sound(copy)
        except apsw.Error as error:
            raise Unavailable(reason=f"The database cannot be copied to {self.path} ({error})") from error

    def restore(self) -> None:
        """Copy the database of a backup, which nobody uses: its file is complete and stays as it is. Check the copy.

        It is on the disk afterwards. Raises DatabaseUnusable for a damaged database, and OSError.
        """
        self._make_file()
        shutil.copyfile(self._source, self.path)
        with self.path.open("rb") as file:
            os.fsync(file.fileno())
        try:
            with closing(apsw.Connection(str(self.path))) as copy:
                self._require_sound(copy)
        except apsw.Error as error:
            raise DatabaseUnusable(f"{self._source} is damaged: {error}") from error

    def _make_file(self) -> None:
        """Make an empty file that only its owner can read, before it has any bytes."""
        self.path.unlink(missing_ok=True)
        os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))

    def _require_sound(self, copy: apsw.Connection) -> None:
        """Raises DatabaseUnusable for a damaged database, and apsw.Error."""
        result = str(copy.execute("PRAGMA integrity_check").get)
        if result != _SOUND:
            raise DatabaseUnusable(f"{self._source} is damaged: {result}")

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """The copy, to read from it."""
        with closing(apsw.Connection(str(self.path), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
            yield SqliteTransaction(connection)
