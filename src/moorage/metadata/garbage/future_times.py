"""Times in the future, written while the clock was ahead: without a limit, garbage would stay for as long as that."""

from __future__ import annotations

from typing import Final

from moorage.metadata.database import Transaction

_TIMES: Final = (
    ("removed_image", "removed_at"),
    ("removed_bytes", "due_at"),
    ("upload", "created_at"),
    ("finished_upload", "finished_at"),
)
"""The columns with an index. `unreferenced.unlink` does the same for the layers that it examines."""


def limit(tx: Transaction, latest: int) -> None:
    """Move every later time to `latest`."""
    for table, column in _TIMES:
        tx.run(f"UPDATE {table} SET {column} = :latest WHERE {column} > :latest", latest=latest)
